// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The shapes of the protocol's messages: what clients send, and full results of handlers.
import { LOGGING_LEVELS } from "./protocol.ts";
import type { Json, JsonRpcNotification, JsonRpcRequest, LoggingLevel } from "./protocol.ts";

/** Whether a JSON value has a shape. */
type Shape = (value: unknown) => boolean;

export const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const string: Shape = (value) => typeof value === "string";
const boolean: Shape = (value) => typeof value === "boolean";
const number: Shape = (value) => typeof value === "number";
const integer: Shape = (value) => Number.isSafeInteger(value);
const fraction: Shape = (value) => typeof value === "number" && value >= 0 && value <= 1;
const either = (...shapes: readonly Shape[]): Shape => (value) => shapes.some((shape) => shape(value));
const oneOf = (...values: readonly unknown[]): Shape => (value) => values.includes(value);
const list = (shape: Shape): Shape => (value) => Array.isArray(value) && value.every(shape);
const record = (shape: Shape): Shape => (value) => isObject(value) && Object.values(value).every(shape);
const maybe = (shape: Shape): Shape => (value) => value === undefined || shape(value);
const base64: Shape = (value) => typeof value === "string" && /^[A-Za-z0-9+/\s]*(?:=\s*){0,2}$/.test(value);

/** An object whose members have these shapes. Other members are allowed. */
function object(members: Readonly<Record<string, Shape>>): Shape {
  const known = Object.entries(members);
  return (value) => isObject(value) && known.every(([name, shape]) => shape(Object.hasOwn(value, name) ? value[name] : undefined));
}

// ---- messages ----

const isId = either(string, integer) as (value: unknown) => value is string | number;
const meta = object({ progressToken: maybe(isId), "io.modelcontextprotocol/related-task": maybe(object({ taskId: string })) });
const anyParams = object({ _meta: maybe(meta) });
const REQUEST = ["jsonrpc", "id", "method", "params"];
const RESPONSE = ["jsonrpc", "id", "result", "error"];

const isExactly = (value: unknown, names: readonly string[]): value is Json =>
  isObject(value) && value["jsonrpc"] === "2.0" && Object.keys(value).every((name) => names.includes(name));

export const isRequest = (value: unknown): value is JsonRpcRequest => isCall(value) && isId(value["id"]);
export const isNotification = (value: unknown): value is JsonRpcNotification => isCall(value) && !("id" in value);

const isCall = (value: unknown): value is Json =>
  isExactly(value, REQUEST) && typeof value["method"] === "string" && (value["params"] === undefined || anyParams(value["params"]));

/** The answer to a request of the server. Over HTTP there are no such requests. */
export function isResponse(value: unknown): boolean {
  if (!isExactly(value, RESPONSE) || "result" in value === "error" in value) return false;
  if ("result" in value) return isId(value["id"]) && object({ _meta: maybe(isObject) })(value["result"]);
  return maybe(isId)(value["id"]) && object({ code: integer, message: string })(value["error"]);
}

// ---- what a client says about itself ----

const icon = object({ src: string, mimeType: maybe(string), sizes: maybe(list(string)), theme: maybe(oneOf("light", "dark")) });
const implementation = object({
  name: string, version: string, title: maybe(string), description: maybe(string), websiteUrl: maybe(string), icons: maybe(list(icon)),
});
const capabilities = object({
  experimental: maybe(record(isObject)),
  sampling: maybe(object({ context: maybe(isObject), tools: maybe(isObject) })),
  elicitation: maybe(object({ form: maybe(object({ applyDefaults: maybe(boolean) })), url: maybe(isObject) })),
  roots: maybe(object({ listChanged: maybe(boolean) })),
  extensions: maybe(record(isObject)),
});

export const isClientInfo = implementation;
export const isCapabilities = capabilities;
export const isProgressToken = isId;
export const isLoggingLevel = oneOf(...LOGGING_LEVELS) as (value: unknown) => value is LoggingLevel;

// ---- parameters, by method ----

const page = object({ cursor: maybe(string) });
const uri = object({ uri: string });
const reference = either(object({ type: oneOf("ref/prompt"), name: string }), object({ type: oneOf("ref/resource"), uri: string }));

/** Methods that are absent here have no parameters that matter. */
export const PARAMS: Readonly<Record<string, Shape>> = {
  initialize: object({ protocolVersion: string, capabilities, clientInfo: implementation }),
  "tools/list": page,
  "tools/call": object({ name: string, arguments: maybe(isObject) }),
  "prompts/list": page,
  "prompts/get": object({ name: string, arguments: maybe(record(string)) }),
  "resources/list": page,
  "resources/templates/list": page,
  "resources/read": uri,
  "resources/subscribe": uri,
  "resources/unsubscribe": uri,
  "completion/complete": object({
    ref: reference, argument: object({ name: string, value: string }), context: maybe(object({ arguments: maybe(record(string)) })),
  }),
  "logging/setLevel": object({ level: isLoggingLevel }),
  "subscriptions/listen": object({
    notifications: object({
      toolsListChanged: maybe(boolean), promptsListChanged: maybe(boolean), resourcesListChanged: maybe(boolean),
      resourceSubscriptions: maybe(list(string)),
    }),
  }),
};

/** Only the generations with a handshake have these. */
export const HANDSHAKE_PARAMS: Readonly<Record<string, Shape>> = { "tools/call": object({ task: maybe(object({ ttl: maybe(number) })) }) };

// ---- full results of handlers ----

const annotations = object({ audience: maybe(list(oneOf("user", "assistant"))), priority: maybe(fraction), lastModified: maybe(string) });
const about = { annotations: maybe(annotations), _meta: maybe(isObject) };
const contents = either(
  object({ uri: string, mimeType: maybe(string), _meta: maybe(isObject), text: string }),
  object({ uri: string, mimeType: maybe(string), _meta: maybe(isObject), blob: base64 }),
);
const described = {
  uri: string, name: string, title: maybe(string), description: maybe(string), mimeType: maybe(string), size: maybe(number),
  icons: maybe(list(icon)), ...about,
};
const BLOCKS: Readonly<Record<string, Shape>> = {
  text: object({ text: string, ...about }),
  image: object({ data: base64, mimeType: string, ...about }),
  audio: object({ data: base64, mimeType: string, ...about }),
  resource_link: object(described),
  resource: object({ resource: contents, ...about }),
};
const block: Shape = (value) => isObject(value) && typeof value["type"] === "string" && Object.hasOwn(BLOCKS, value["type"]) && BLOCKS[value["type"]]!(value);
const result = { _meta: maybe(isObject) };

const RESULTS = {
  CallToolResult: object({ ...result, content: list(block), isError: maybe(boolean) }),
  ReadResourceResult: object({ ...result, contents: list(contents) }),
  ListResourcesResult: object({ ...result, resources: list(object(described)) }),
  GetPromptResult: object({ ...result, description: maybe(string), messages: list(object({ role: oneOf("user", "assistant"), content: block })) }),
  CompleteResult: object({ ...result, completion: object({ values: list(string) }) }),
} as const;
export type ResultName = keyof typeof RESULTS;

/** The first part of a result with a wrong shape, for the author of the handler. */
export function faultOf(name: ResultName, value: unknown): string | undefined {
  if (RESULTS[name](value)) return undefined;
  for (const key of ["content", "contents", "messages", "resources"]) {
    const entries = isObject(value) ? value[key] : undefined;
    if (!Array.isArray(entries)) continue;
    const one = RESULTS[name] as Shape;
    const index = entries.findIndex((entry) => !one({ ...(value as Json), [key]: [entry] }));
    if (index >= 0) return `${key}[${index}] is ${JSON.stringify(entries[index])?.slice(0, 200)}`;
  }
  return `it is ${JSON.stringify(value)?.slice(0, 200)}`;
}
