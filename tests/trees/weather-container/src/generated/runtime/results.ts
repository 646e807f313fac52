// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Turns what a handler returns into a result: JSON, well formed, not too long and of the right shape.
import { ToolError } from "./context.ts";
import type { Contents } from "./context.ts";
import { outcomeOf, wellFormed } from "./exchange.ts";
import type { Outcome, Runtime } from "./exchange.ts";
import type { ToolEntry } from "./manifest.ts";
import type { Json } from "./protocol.ts";
import { checkOf } from "./schema.ts";
import { faultOf, isObject } from "./shapes.ts";
import type { ResultName } from "./shapes.ts";

/** Their JSON does not show their content. */
const NO_JSON = ["Map", "Set", "Error", "Response", "Promise", "WeakMap", "WeakSet", "Blob", "ReadableStream"];

/** A value as JSON with well-formed strings. */
export function toJson(value: unknown): string {
  if (NO_JSON.includes(kindOf(value))) throw notJson(value);
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw notJson(value);
  // Inside other values JSON turns most of them into `{}`.
  if (text.includes("{}")) checkInside(value);
  return wellFormed(text);
}

const kindOf = (value: unknown): string => (value instanceof Error ? "Error" : Object.prototype.toString.call(value).slice(8, -1));
const notJson = (value: unknown) => new TypeError(`the handler returned a ${kindOf(value)}, which is not a JSON value: return what it holds`);

function checkInside(value: unknown): void {
  if (typeof value !== "object" || value === null || "toJSON" in value) return;
  if (NO_JSON.includes(kindOf(value))) throw notJson(value);
  for (const part of Object.values(value)) checkInside(part);
}

/** Bytes of the object around the members. */
const BRACES = 2;

/** Fails for a result, given by its members, that is too long to send; the message is for the caller. */
export function assertLength(members: string, limit: number): void {
  // A character has one to three bytes: most results are far below the limit and need no count.
  if (members.length * 3 + BRACES <= limit) return;
  const bytes = new TextEncoder().encode(members).length + BRACES;
  if (bytes <= limit) return;
  throw new ToolError(
    `the result is too long: ${bytes} bytes, and this server sends ${limit} at most (limits.max_result); ask for less, or for one part after the other`,
  );
}

export const isAsking = (value: unknown): boolean => isObject(value) && value["resultType"] === "input_required";

/** A full result, as the handler wrote it. */
export function full(runtime: Runtime, name: ResultName, returned: unknown): Outcome {
  const text = toJson(returned);
  assertLength(text.slice(1, -1), runtime.manifest.limits.maxResultBytes);
  const value = JSON.parse(text) as Json;
  const fault = faultOf(name, value);
  if (fault !== undefined) throw new Error(`the handler returned no valid ${name}: ${fault}`);
  // The server adds this member for the generation that knows it.
  const { resultType: _, ...members } = value;
  return outcomeOf(members);
}

// ---- tools ----

/**
 * With an output schema its value, otherwise any JSON; or a full result. For clients with a handshake only an object is
 * structured content.
 */
export function toolOutcome(runtime: Runtime, tool: ToolEntry, returned: unknown, isModern: boolean): Outcome {
  if (isToolResult(returned, tool.outputSchema !== undefined)) return fullToolOutcome(runtime, tool, returned, isModern);
  const json = toJson(returned);
  const value: unknown = JSON.parse(json);
  checkOutput(tool, value, value);
  const text = JSON.stringify(typeof value === "string" ? value : json);
  const content = `"content":[{"type":"text","text":${text}}]`;
  const isStructured = tool.outputSchema !== undefined || isObject(value);
  const members = isStructured ? `${content},"structuredContent":${isModern ? json : forHandshake(tool, value, json)}` : content;
  assertLength(members, runtime.manifest.limits.maxResultBytes);
  return { members };
}

function fullToolOutcome(runtime: Runtime, tool: ToolEntry, returned: unknown, isModern: boolean): Outcome {
  const { members, meta } = full(runtime, "CallToolResult", returned);
  const result = JSON.parse(`{${members}}`) as Json & { content: Json[] };
  if (result["isError"] !== true) checkOutput(tool, result["structuredContent"] ?? null, result);
  if (!("structuredContent" in result)) return { members, meta };
  const value = result["structuredContent"];
  const json = JSON.stringify(value);
  // Otherwise clients that read only the text would not see it.
  const isUnseen = !isObject(value) && !result.content.some(({ type }) => type === "text");
  if (isModern && !isUnseen) return { members, meta };
  const content = isUnseen ? [...result.content, { type: "text", text: json }] : result.content;
  const { content: _, structuredContent: __, ...others } = result;
  const rest = JSON.stringify(others).slice(1, -1);
  const shown = `"content":${JSON.stringify(content)},"structuredContent":${isModern ? json : forHandshake(tool, value, json)}`;
  return { members: rest === "" ? shown : `${shown},${rest}`, meta };
}

/** With an output schema, `content` alone may be a property of the user's value. */
function isToolResult(value: unknown, hasOutput: boolean): boolean {
  if (!isObject(value) || !Array.isArray(value["content"])) return false;
  if (!value["content"].every((block: unknown) => isObject(block) && typeof block["type"] === "string")) return false;
  return !hasOutput || "structuredContent" in value || value["isError"] === true;
}

const ONLY_CONTENT = " (text alone, such as `ctx.emitted()`, is not a value: return the value itself, or `{ ...ctx.emitted(), structuredContent: value }`)";

function checkOutput({ outputSchema }: ToolEntry, value: unknown, returned: unknown): void {
  const wrong = outputSchema && checkOf(outputSchema)(value);
  if (wrong === undefined) return;
  const isText = isObject(returned) && Array.isArray(returned["content"]);
  throw new Error(`the output does not match its schema: ${wrong}${isText ? ONLY_CONTENT : ""}`);
}

const forHandshake = ({ outputSchema }: ToolEntry, value: unknown, json: string): string =>
  isObject(value) && (outputSchema === undefined || hasObjectRoot(outputSchema)) ? json : `{"result":${json}}`;

// ---- output schemas of clients with a handshake: an object at the root ----

export const hasObjectRoot = (schema: Json): boolean => schema["type"] === "object" || (schema["type"] === undefined && describesObject(schema));

const ABOUT_OBJECTS = ["properties", "patternProperties", "additionalProperties", "required"];

function describesObject(schema: Json): boolean {
  if (ABOUT_OBJECTS.some((key) => key in schema)) return true;
  const choices = ["oneOf", "anyOf", "allOf"].map((key) => schema[key]).find((members) => Array.isArray(members) && members.length > 0);
  return Array.isArray(choices) && choices.every((choice) => isObject(choice) && (choice["type"] === "object" || describesObject(choice)));
}

const NAMED = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
const DATA = ["const", "enum", "default", "examples"];

/** The schema of the root becomes that of the property `result`, and references move with it. */
export function wrapped(schema: Json): Json {
  const { $schema } = schema;
  const dialect = $schema !== undefined && { $schema };
  const isRebased = (node: Json) => typeof node["$id"] === "string" && !node["$id"].startsWith("#");
  const move = (node: unknown, isNames: boolean): unknown => {
    if (Array.isArray(node)) return node.map((part) => move(part, false));
    if (!isObject(node) || (!isNames && node !== schema && isRebased(node))) return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => {
      if (isNames) return [key, move(value, false)];
      if (key === "$ref" || key === "$dynamicRef") return [key, moved(value)];
      return [key, DATA.includes(key) ? value : move(value, NAMED.includes(key))];
    }));
  };
  return { ...dialect, type: "object", properties: { result: isRebased(schema) ? schema : move(schema, false) }, required: ["result"] };
}

function moved(reference: unknown): unknown {
  if (typeof reference !== "string") return reference;
  if (reference === "#") return "#/properties/result";
  return reference.startsWith("#/") ? `#/properties/result${reference.slice(1)}` : reference;
}

// ---- resources ----

/** The address and the media type are known if the handler does not give them. */
export function contentsOf(returned: string | readonly Contents[], uri: string, mimeType: string | undefined): Json {
  const contents = typeof returned === "string" ? [{ text: returned }] : returned;
  return { contents: contents.map((part) => ({ uri, ...(mimeType !== undefined && { mimeType }), ...part })) };
}
