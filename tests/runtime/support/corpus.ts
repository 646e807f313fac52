// Requests of every method in both generations: well made, and with every field missing, of a wrong type, doubled,
// null, huge or unknown.
import { CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY, MODERN, VERSION_KEY } from "../../../templates/runtime/protocol.ts";
import type { Json } from "../../../templates/runtime/protocol.ts";
import { bare, manifest } from "./fixture.ts";

export interface Sample {
  readonly name: string;
  readonly isBare: boolean;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** Its answer is compared in full, and not by its codes alone. */
  readonly isWellFormed: boolean;
}

const BOTH = "application/json, text/event-stream";
const named = { "tools/call": "name", "prompts/get": "name", "resources/read": "uri", "tasks/get": "taskId", "tasks/cancel": "taskId" } as Record<string, string>;
const call = (name: string, args?: Json, more: Json = {}): Base => ["tools/call", { name, ...(args && { arguments: args }), ...more }];
type Base = readonly [method: string, params: Json | undefined, headers?: Record<string, string>];

const client = { name: "a client", version: "1", title: "A client", icons: [{ src: "https://example.com/i.png", sizes: ["48x48"], theme: "dark" }] };
const canAsk = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: { listChanged: true }, experimental: { a: {} }, extensions: { "example.com/e": {} } };
const answer = { inputResponses: { name: { action: "accept", content: { name: "Ann" } } } };

/** One of each method, from which the others are made. */
const ROOTS: readonly Base[] = [
  ["initialize", { protocolVersion: "2025-11-25", capabilities: canAsk, clientInfo: client }],
  ["ping", {}],
  ["server/discover", {}],
  ["tools/list", { cursor: "" }],
  call("echo", { text: "hello", times: 2 }, { task: { ttl: 5 } }),
  ["resources/list", { cursor: "x" }],
  ["resources/templates/list", {}],
  ["resources/read", { uri: "weather://oslo/forecast" }],
  ["resources/subscribe", { uri: "info://server/about" }],
  ["resources/unsubscribe", { uri: "info://server/about" }],
  ["prompts/list", {}],
  ["prompts/get", { name: "plan", arguments: { city: "Rome", days: "2" } }],
  ["completion/complete", { ref: { type: "ref/prompt", name: "plan" }, argument: { name: "city", value: "o" }, context: { arguments: { days: "1" } } }],
  ["completion/complete", { ref: { type: "ref/resource", uri: "weather://{city}/forecast" }, argument: { name: "city", value: "os" } }],
  ["logging/setLevel", { level: "warning" }],
  ["subscriptions/listen", { notifications: { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ["info://server/about"] } }],
  call("ask", {}, answer),
];

/** Further ones that are well made. */
const MORE: readonly Base[] = [
  ...manifest.tools.map(({ name }) => call(name, {})),
  ...manifest.tools.map(({ name }) => call(name)),
  ...[{ text: "" }, { text: 1 }, { text: "a", times: 1.5 }, { text: "a", unknown: 1 }, { text: "é𝄞\u2028" }, { text: "x".repeat(100_000) }, JSON.parse('{"text":"a","__proto__":1}') as Json].map((args) => call("echo", args)),
  ...[{ x: 1, y: 2 }, { x: 1e308, y: -0.5 }, { x: "1", y: 2 }].map((args) => call("point", args)),
  ...[0, 10, 11, -1, "2"].map((length) => call("list", { length })),
  ...["number", "text", "other"].map((as) => call("choice", { as })),
  call("open", { a: null, b: [{}] }), call("open", Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, index]))),
  call("open", { many: Array.from({ length: 50_001 }, () => 0) }),
  ...["decline", "cancel", "other"].map((action) => call("ask", {}, { inputResponses: { name: { action } } })),
  call("ask", {}, { inputResponses: { other: { action: "accept" } } }), call("ask", {}, { inputResponses: {} }), call("ask", {}, { inputResponses: { name: { method: "x", result: {} } } }),
  call("ask", {}, { inputResponses: { name: { roots: [] } } }), call("ask", {}, { inputResponses: { name: { role: "assistant", content: { type: "text", text: "a" }, model: "m" } } }),
  call("ask", {}, { requestState: "v1.x.y" }), call("ask", {}, { requestState: "" }),
  call("nobody"), call("__proto__"), call("constructor"), call(""), call("écho"),
  ["prompts/get", { name: "plain" }], ["prompts/get", { name: "plain", arguments: { a: "b" } }], ["prompts/get", { name: "talk" }], ["prompts/get", { name: "nobody" }],
  ["prompts/get", { name: "toString" }], ["prompts/get", { name: "plan" }], ["prompts/get", { name: "plan", arguments: {} }], ["prompts/get", { name: "plan", arguments: { city: "" } }],
  ...[
    "info://server/about", "INFO://server/about", "info://server/binary", "info://server/gone", "info://server/broken", "info://server/nowhere", "weather://s%C3%A3o%20paulo/forecast", "weather:///forecast",
    "weather://a/b/forecast", "weather://%zz/forecast", "weather://oslo/forecast?x", "file:///a/b%20c.txt", "file:///", "file:///a/../b", "logs://app", "logs://app?offset=1&limit=2", "logs://app?limit=2", "logs://app?page=2", "logs://app?limit=1&limit=2",
    "", "no address", "about:blank", "http://", "info://server/about#part", `file:///${"a".repeat(2000)}`,
  ].map((uri): Base => ["resources/read", { uri }]),
  ["completion/complete", { ref: { type: "ref/prompt", name: "nobody" }, argument: { name: "city", value: "" } }],
  ["completion/complete", { ref: { type: "ref/prompt", name: "plan" }, argument: { name: "__proto__", value: "" } }],
  ["completion/complete", { ref: { type: "ref/prompt", name: "plain" }, argument: { name: "x", value: "" } }],
  ["completion/complete", { ref: { type: "ref/resource", uri: "info://server/about" }, argument: { name: "x", value: "" } }],
  ["completion/complete", { ref: { type: "ref/resource", uri: "weather://oslo/forecast" }, argument: { name: "city", value: "" } }],
  ...["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"].map((level): Base => ["logging/setLevel", { level }]),
  ...["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07", "2023-01-01", "2026-07-28", "2027-01-01", ""].map((protocolVersion): Base => ["initialize", { protocolVersion, capabilities: {}, clientInfo: { name: "c", version: "1" } }]),
  ["subscriptions/listen", { notifications: {} }], ["tools/list", undefined], ["prompts/list", undefined], ["resources/list", undefined], ["ping", undefined], ["server/discover", undefined],
  ...["unknown", "tools", "tools/", "Tools/list", "__proto__", "constructor", "toString", "", "notifications/initialized", "notifications/cancelled", "sampling/createMessage", "roots/list", "elicitation/create", "tasks/get", "tasks/list", "tasks/cancel", "tasks/result", "rpc.discover"]
    .map((method): Base => [method, { taskId: "a" }]),
  ["tools/call", { name: "routed", arguments: { region: "eu", deep: { level: 5 } } }, { "mcp-param-region": "eu", "mcp-param-level": "5" }],
  ["tools/call", { name: "routed", arguments: { region: "é" } }, { "mcp-param-region": "=?base64?w6k=?=" }],
  ["tools/call", { name: "routed", arguments: { deep: { level: 5 } } }, { "mcp-param-level": "5.0" }],
];

/** The same with headers that say something else than the body does. */
const ROUTED: readonly Record<string, string>[] = [
  {}, { "mcp-param-region": "us" }, { "mcp-param-region": "" }, { "mcp-param-region": "=?base64?!!?=" }, { "mcp-param-region": "=?base64?ZXU=?=" }, { "mcp-param-region": " eu " },
  { "mcp-param-region": "eu", "mcp-param-level": "6" }, { "mcp-param-region": "eu", "mcp-param-level": "x" }, { "mcp-param-region": "eu", "mcp-param-level": "5e0" },
];

function make(isModern: boolean, [method, params, more]: Base, id: unknown = 1, meta: Json = {}): { message: Json; headers: Record<string, string> } {
  const value = params?.[named[method] ?? ""];
  const headers: Record<string, string> = { accept: BOTH, "content-type": "application/json", "mcp-protocol-version": isModern ? MODERN : "2025-11-25", ...more };
  if (!isModern) return { message: { jsonrpc: "2.0", id, method, ...(params && { params: Object.keys(meta).length > 0 ? { ...params, _meta: meta } : params }) }, headers };
  const _meta = { [VERSION_KEY]: MODERN, [CLIENT_INFO_KEY]: client, [CAPABILITIES_KEY]: canAsk, ...meta };
  headers["mcp-method"] = method;
  if (typeof value === "string") headers["mcp-name"] = encode(value);
  return { message: { jsonrpc: "2.0", id, method, params: { ...params, _meta } }, headers };
}

const encode = (value: string) => (/^[\x21-\x7e]+$/.test(value) ? value : `=?base64?${Buffer.from(value).toString("base64")}?=`);

export function* corpus(): Generator<Sample> {
  for (const isModern of [false, true]) {
    const generation = isModern ? "2026" : "2025";
    const sample = (name: string, { message, headers }: { message: unknown; headers: Record<string, string> }, isWellFormed = false, more: Partial<Sample> = {}): Sample => ({
      name: `${generation} ${name}`, isBare: false, target: "/mcp", headers, body: JSON.stringify(message), isWellFormed, ...more,
    });
    for (const [index, root] of [...ROOTS, ...MORE].entries()) {
      const name = `${root[0]} #${index}`;
      yield sample(name, make(isModern, root), true);
      yield sample(`${name} with progress`, make(isModern, root, "text id", { progressToken: 7, "example.com/other": 1 }), true);
    }
    for (const level of ["debug", "warning", "emergency"]) yield sample(`log level ${level}`, make(isModern, call("say", {}), 5, { [LOG_LEVEL_KEY]: level }), true);
    for (const root of ROOTS) yield sample(`bare ${root[0]}`, make(isModern, root), true, { isBare: true });
    for (const [index, root] of ROOTS.entries()) {
      const base = make(isModern, root, 3, { progressToken: "p" });
      for (const { what, text, isGood } of mutations(base.message)) yield sample(`${root[0]} #${index} ${what}`, base, isGood, { body: text });
    }
    yield* headerSamples(generation, isModern);
    yield* bodySamples(generation, isModern);
    for (const [index, headers] of ROUTED.entries()) {
      const base = make(isModern, call("routed", { region: "eu", deep: { level: 5 } }));
      yield sample(`routed ${index}`, { ...base, headers: { ...base.headers, ...headers } });
    }
    const cannotAsk = make(isModern, call("ask", {}), 1, { [CAPABILITIES_KEY]: {} });
    yield sample("ask who cannot be asked", cannotAsk, true);
    yield sample("ask who shows no forms", make(isModern, call("ask", {}), 1, { [CAPABILITIES_KEY]: { elicitation: { url: {} } } }), true);
    yield sample("ask who says no mode", make(isModern, call("ask", {}), 1, { [CAPABILITIES_KEY]: { elicitation: {} } }), true);
  }
}

const WRONG: readonly (readonly [string, unknown])[] = [["text", "x"], ["fraction", 1.5], ["boolean", true], ["list", ["x"]], ["empty", {}], ["object", { a: {} }]];
const HUGE: readonly (readonly [string, unknown])[] = [["huge text", "x".repeat(20_000)], ["beyond integers", 2 ** 53], ["huge list", Array.from({ length: 2000 }, () => "x")]];

/** Each field of a message changed in each way. */
function* mutations(message: Json): Generator<{ what: string; text: string; isGood: boolean }> {
  for (const path of pathsOf(message, [])) {
    const at = path.join(".");
    const value = path.reduce<unknown>((node, key) => (node as Json)[key], message);
    yield { what: `without ${at}`, text: JSON.stringify(changed(message, path, undefined)), isGood: false };
    yield { what: `${at} null`, text: JSON.stringify(changed(message, path, null)), isGood: false };
    for (const [kind, other] of [...WRONG, ...HUGE]) if (JSON.stringify(other) !== JSON.stringify(value)) yield { what: `${at} ${kind}`, text: JSON.stringify(changed(message, path, other)), isGood: false };
    const key = path.at(-1)!;
    for (const [first, second] of [[value, value], [value, 7], [7, value]] as const) {
      const holder = `"HERE":${JSON.stringify(first)},${JSON.stringify(key)}:${JSON.stringify(second)}`;
      const text = JSON.stringify(changed(message, path, undefined, true)).replace('"HERE":0', () => holder.replace('"HERE"', JSON.stringify(key)));
      yield { what: `${at} doubled`, text, isGood: first === second };
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const name of ["unknown", "__proto__", "toJSON"]) {
        const text = JSON.stringify(changed(message, [...path, "HERE"], 0)).replace('"HERE":0', `${JSON.stringify(name)}:{"a":1}`);
        yield { what: `${at} with ${name}`, text, isGood: false };
      }
    }
  }
  for (const name of ["unknown", "result", "error", "__proto__"]) yield { what: `with ${name}`, text: JSON.stringify({ ...message, HERE: 0 }).replace('"HERE":0', `"${name}":{}`), isGood: false };
}

function* pathsOf(value: unknown, path: readonly string[]): Generator<readonly string[]> {
  if (path.length > 0) yield path;
  if (typeof value !== "object" || value === null || Array.isArray(value) || path.length > 4) return;
  for (const [key, part] of Object.entries(value)) yield* pathsOf(part, [...path, key]);
}

/** A copy with another value there, or without it; `marks` leaves a mark in its place. */
function changed(value: unknown, [key = "", ...rest]: readonly string[], other: unknown, marks = false): unknown {
  const { [key]: before, ...others } = value as Json;
  if (rest.length > 0) return { ...others, [key]: changed(before, rest, other, marks) };
  if (marks) return { ...others, HERE: 0 };
  return other === undefined ? others : { ...others, [key]: other };
}

function* headerSamples(generation: string, isModern: boolean): Generator<Sample> {
  const values: Record<string, readonly (string | undefined)[]> = {
    "mcp-protocol-version": [undefined, "", " ", "2025-11-25", "2025-06-18", "2024-10-07", "2024-01-01", "2026-07-28", " 2026-07-28\t", "2026-07-29", "2027-01-01", "x", "2025-11-25, 2025-11-25", "DRAFT-2026", "2026-07-28, 2026-07-28"],
    "mcp-method": [undefined, "", "tools/list", "tools/call", "TOOLS/CALL", " tools/call ", "tools/call, tools/call", "=?base64?dG9vbHMvY2FsbA==?="],
    "mcp-name": [undefined, "", "echo", "ECHO", " echo ", "echo, echo", "=?base64?ZWNobw==?=", "=?base64?ZWNobw?=", "=?base64??=", "=?BASE64?ZWNobw==?=", "=?base64?/w==?=", "info://server/about"],
    "content-type": [undefined, "", "text/plain", "application/json; charset=utf-8", "APPLICATION/JSON", "application/jsonx", "text/plain; application/json", "application/json, application/json", "application/json;"],
    accept: [undefined, "", "*/*", "application/json", "text/event-stream", "application/*", "text/html", "text/event-stream, application/json;q=0.1", "APPLICATION/JSON, TEXT/EVENT-STREAM"],
  };
  const bases: readonly Base[] = [call("echo", { text: "a" }), ["tools/list", {}], ["resources/read", { uri: "info://server/about" }], ["server/discover", {}], ["initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } }], ["unknown", {}]];
  for (const base of bases) {
    for (const [header, all] of Object.entries(values)) {
      for (const value of all) {
        const { message, headers } = make(isModern, base);
        const { [header]: _, ...others } = headers;
        yield { name: `${generation} ${base[0]} header ${header}=${value}`, isBare: false, target: "/mcp", headers: value === undefined ? others : { ...others, [header]: value }, body: JSON.stringify(message), isWellFormed: false };
      }
    }
  }
}

function* bodySamples(generation: string, isModern: boolean): Generator<Sample> {
  const { message, headers } = make(isModern, call("echo", { text: "a" }));
  const text = JSON.stringify(message);
  const list = make(isModern, ["tools/list", {}], 2).message;
  const note = (method: string, params?: unknown) => ({ jsonrpc: "2.0", method, ...(params !== undefined && { params }) });
  const modernMeta = { [VERSION_KEY]: MODERN, [CAPABILITIES_KEY]: {} };
  const bodies: Record<string, unknown> = {
    empty: "", space: " ", cut: text.slice(0, -1), twice: text + text, "not JSON": "{", "a byte order mark": `\ufeff${text}`, text: '"x"', number: "1", null: "null", true: "true", "empty object": "{}", "with spaces": `\n ${text}\t`,
    "empty batch": [], "batch of one": [message], "batch of two": [message, list], "batch with note": [message, note("notifications/initialized")], "batch of notes": [note("notifications/initialized"), note("notifications/cancelled", { requestId: 1 })],
    "batch with nonsense": [message, 1], "batch with null": [null], "batch in batch": [[message]], "batch of responses": [{ jsonrpc: "2.0", id: 1, result: {} }], "batch with the same id": [message, message],
    "batch with initialize": [make(false, ROOTS[0]!).message, list], "batch of initialize": [make(false, ROOTS[0]!).message], "batch of a hundred": Array.from({ length: 100 }, (_, id) => ({ ...list, id })), "batch of more": Array.from({ length: 101 }, (_, id) => ({ ...list, id })),
    "batch of unknown": [{ ...message, method: "unknown" }], "batch of a modern note": [note("notifications/initialized", { _meta: modernMeta })],
    ...Object.fromEntries(["initialized", "cancelled", "progress", "roots/list_changed", "unknown"].flatMap((name) => [
      [`note ${name}`, note(`notifications/${name}`)], [`note ${name} params`, note(`notifications/${name}`, { requestId: 1, progressToken: 1, progress: 1 })], [`note ${name} modern`, note(`notifications/${name}`, { _meta: modernMeta })],
      [`note ${name} wrong`, note(`notifications/${name}`, 1)], [`note ${name} null`, note(`notifications/${name}`, null)], [`note ${name} of another version`, note(`notifications/${name}`, { _meta: { [VERSION_KEY]: "2030-01-01" } })],
      [`note ${name} of no version`, note(`notifications/${name}`, { _meta: { [VERSION_KEY]: 1 } })], [`note ${name} with null id`, { ...note(`notifications/${name}`), id: null }],
    ])),
    "note tools/call": note("tools/call", { name: "echo", arguments: { text: "a" } }), "note without a method": { jsonrpc: "2.0" },
    response: { jsonrpc: "2.0", id: 1, result: {} }, "response with meta": { jsonrpc: "2.0", id: 1, result: { _meta: modernMeta } }, "error response": { jsonrpc: "2.0", id: 1, error: { code: 1, message: "x" } },
    "error response without id": { jsonrpc: "2.0", error: { code: 1, message: "x" } }, "error response with null id": { jsonrpc: "2.0", id: null, error: { code: 1, message: "x" } }, "response with both": { jsonrpc: "2.0", id: 1, result: {}, error: { code: 1, message: "x" } },
    "response without id": { jsonrpc: "2.0", result: {} }, "response of text": { jsonrpc: "2.0", id: 1, result: "x" }, "error of text": { jsonrpc: "2.0", id: 1, error: "x" },
    deep: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open","arguments":${'{"a":'.repeat(200)}1${"}".repeat(200)}}}`,
  };
  const methods: readonly (string | undefined)[] = [undefined, "notifications/initialized", "tools/call"];
  for (const [name, body] of Object.entries(bodies)) {
    for (const method of isModern ? methods : [undefined]) {
      const { "mcp-method": _, ...others } = headers;
      yield {
        name: `${generation} body ${name} ${method}`, isBare: false, target: "/mcp", headers: method === undefined ? others : { ...others, "mcp-method": method },
        body: typeof body === "string" ? body : JSON.stringify(body), isWellFormed: false,
      };
    }
  }
  yield { name: `${generation} body of no Unicode`, isBare: false, target: "/mcp", headers, body: Uint8Array.from([...new TextEncoder().encode(text.slice(0, 30)), 0xff, 0xfe]), isWellFormed: false };
  yield { name: `${generation} too long`, isBare: false, target: "/mcp", headers, body: `${text}${" ".repeat(bare.limits.maxBodyBytes)}`, isWellFormed: false };
  for (const target of ["/mcp/", "/mcp?a=b", "/mcp//", "/mcpx", "/", "/health"]) yield { name: `${generation} at ${target}`, isBare: false, target, headers, body: text, isWellFormed: true };
  for (const id of [0, -1, "", "x".repeat(1000), 2 ** 53 - 1, 1.5, null, true, {}, []]) {
    yield { name: `${generation} id ${JSON.stringify(id)?.slice(0, 20)}`, isBare: false, target: "/mcp", headers, body: JSON.stringify({ ...message, id }), isWellFormed: false };
  }
}
