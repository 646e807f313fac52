// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Headers that repeat the body (2026-07-28): a router that uses them must see the same call as the server.
import type { Fields } from "./http.ts";
import { byName, once } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { isObject } from "./shapes.ts";
import type { Json } from "./protocol.ts";

/** The value in the header, and the one in the body. */
type Mismatch = readonly [header: string, body: string];

/** Without surrounding blanks. Not with a regular expression: it rescans a run of blanks for each blank in it. */
export function trimmed(headers: Fields, name: string): string | undefined {
  const value = headers.get(name);
  if (value === undefined || value === null) return undefined;
  const isBlank = (at: number) => value[at] === " " || value[at] === "\t";
  let [from, to] = [0, value.length];
  while (from < to && isBlank(from)) from += 1;
  while (to > from && isBlank(to - 1)) to -= 1;
  return value.slice(from, to);
}

/** Where a request has the name of what it asks for. */
const NAMED: Readonly<Record<string, string>> = {
  "tools/call": "name", "prompts/get": "name", "resources/read": "uri", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId",
};

export function mismatchedHeaders(headers: Fields, version: string | undefined, named: string | undefined, method: string, params: Json): Mismatch | undefined {
  if (version === undefined) return ["(missing)", "the body names a protocol version but the required MCP-Protocol-Version header is absent"];
  if (named === undefined) return ["(missing)", `the body names method ${method} but the required Mcp-Method header is absent`];
  const field = Object.hasOwn(NAMED, method) ? NAMED[method]! : undefined;
  if (field === undefined) return undefined;
  const value = params[field];
  const header = trimmed(headers, "mcp-name");
  if (header === undefined) {
    return typeof value === "string" ? ["(missing)", `the body carries params.${field} but the required Mcp-Name header is absent`] : undefined;
  }
  const decoded = decode(header);
  if (decoded === undefined) return [header, "the Mcp-Name header carries an invalid Base64 sentinel value"];
  if (typeof value === "string" && decoded !== value) return [header, `the body carries params.${field}="${value}" but the Mcp-Name header names "${decoded}"`];
  return undefined;
}

/** An argument with `x-mcp-header` in its schema is in a header, too. */
export function mismatchedParameters({ tools }: Manifest, { name, arguments: args }: Json, headers: Fields): Mismatch | undefined {
  const tool = byName(tools, name);
  for (const { path, header, type } of tool ? mirroredIn(tool.inputSchema) : []) {
    const value = path.reduce<unknown>((node, key) => (isObject(node) && Object.hasOwn(node, key) ? node[key] : undefined), args);
    const text = textOf(value);
    if (text === undefined) continue;
    const where = path.join(".");
    const found = headers.get(header);
    if (found === undefined || found === null) return [header, `the body carries ${where}=${JSON.stringify(value)} but the ${header} header is absent`];
    const decoded = decode(found);
    if (decoded === undefined) return [header, `the ${header} header carries an invalid Base64 sentinel value`];
    const isNumber = (type === "integer" || type === "number") && typeof value === "number" && /^-?\d+(\.\d+)?$/.test(decoded);
    if (isNumber ? Number(decoded) !== value : decoded !== text) {
      return [header, `the ${header} header decodes to ${JSON.stringify(decoded)} but the body carries ${where}=${JSON.stringify(value)}`];
    }
  }
  return undefined;
}

interface Mirrored {
  readonly path: readonly string[];
  readonly header: string;
  readonly type: unknown;
}

/** `check` makes sure that `properties` alone lead to them. */
const mirroredIn = once((schema: Json): readonly Mirrored[] => [...walk(schema, [])]);

function* walk(schema: Json, path: readonly string[]): Generator<Mirrored> {
  const header = schema["x-mcp-header"];
  if (typeof header === "string") yield { path, header: `mcp-param-${header.toLowerCase()}`, type: schema["type"] };
  const { properties } = schema;
  for (const [key, property] of isObject(properties) ? Object.entries(properties) : []) if (isObject(property)) yield* walk(property, [...path, key]);
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return `${value}`;
  if (typeof value !== "number" || (Number.isInteger(value) && !Number.isSafeInteger(value))) return undefined;
  return `${value}`;
}

/** `=?base64?…?=` encodes what a header cannot hold. */
function decode(value: string): string | undefined {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
  if (encoded === undefined) return value;
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
