// A server with something of everything, for the runtime and for the oracle alike.
import type { Handlers, ToolContext } from "../../../templates/runtime/context.ts";
import { ToolError } from "../../../templates/runtime/context.ts";
import type { Manifest } from "../../../templates/runtime/manifest.ts";
import type { Json } from "../../../templates/runtime/protocol.ts";

export const STATE_KEY = "a key of the tests that is long enough";
export const variables = { MCP_STATE_KEY: STATE_KEY, LOG_LEVEL: "error" };

const object = (properties: Json, required: string[] = [], more: Json = {}): Json => ({ type: "object", properties, required, additionalProperties: false, ...more });
const tool = (name: string, inputSchema: Json, more: object = {}) => ({ name, inputSchema, timeoutMs: 5000, ...more });
const point = object({ x: { type: "number" }, y: { type: "number" } }, ["x", "y"]);

const kept = {
  env: { LOG_LEVEL: "error" },
  access: { origins: [], hosts: [] },
  limits: { timeoutMs: 5000, maxBodyBytes: 1_048_576, maxResultBytes: 1_048_576, maxInputElements: 50_000 },
  cache: { ttlMs: 300_000, scope: "public" },
} as const;

export const manifest: Manifest = {
  ...kept,
  server: { name: "fixture", version: "1.2.3", title: "Fixture", description: "Something of everything", instructions: "Use it." },
  secrets: ["MCP_STATE_KEY"],
  tools: [
    tool("echo", object({ text: { type: "string", minLength: 1, maxLength: 200_000 }, times: { type: "integer", default: 1 } }, ["text"]), {
      title: "Echo", description: "Says it again", annotations: { readOnlyHint: true }, icons: [{ src: "https://example.com/i.png" }], _meta: { "example.com/a": 1 },
    }),
    tool("point", point, { outputSchema: point }),
    tool("list", object({ length: { type: "integer", minimum: 0, maximum: 10 } }), { outputSchema: { type: "array", items: { type: "integer" } } }),
    tool("choice", object({ as: { enum: ["number", "text"] } }), { outputSchema: { oneOf: [{ type: "number" }, { type: "string" }] } }),
    tool("wrong", object({}), { outputSchema: point }),
    tool("image", object({})),
    tool("refuse", object({})),
    tool("fail", object({})),
    tool("nothing", object({})),
    tool("tell", object({})),
    tool("say", object({})),
    tool("ask", object({})),
    tool("open", { type: "object" }),
    tool("routed", object({ region: { type: "string", "x-mcp-header": "Region" }, deep: { type: "object", properties: { level: { type: "integer", "x-mcp-header": "Level" } } } }, [])),
  ],
  resources: [
    { name: "about", uri: "info://server/about", mimeType: "text/plain", title: "About", description: "What this is", annotations: { audience: ["user"], priority: 0.5 } },
    { name: "binary", uri: "info://server/binary" },
    { name: "weather", uriTemplate: "weather://{city}/forecast", mimeType: "text/plain", description: "The weather" },
    { name: "file", uriTemplate: "file:///{+path}" },
    { name: "log", uriTemplate: "logs://{app}{?offset,limit}" },
    { name: "gone", uri: "info://server/gone" },
    { name: "broken", uri: "info://server/broken" },
  ],
  prompts: [
    { name: "plan", title: "Plan", description: "A plan", argsSchema: { type: "object", properties: { city: { type: "string", description: "Where" }, days: { type: "string", default: "3" } }, required: ["city"] } },
    { name: "plain" },
    { name: "talk", argsSchema: { type: "object", properties: {} } },
  ],
};

/** A server of one tool alone: of all the other kinds it has nothing. */
export const bare: Manifest = { ...manifest, server: { name: "bare", version: "0.0.1" }, tools: manifest.tools.slice(0, 1), resources: [], prompts: [] };

const QUESTION = { name: { method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } } } } as const;
const loaded = (handler: object) => async () => ({ default: handler as never });
const runs = (run: (input: Json, ctx: ToolContext) => unknown) => loaded({ run });

export const handlers: Handlers = {
  tools: {
    echo: runs(({ text, times }) => ({ text, times })),
    point: runs(({ x, y }) => ({ x: y, y: x })),
    list: runs(({ length = 2 }) => Array.from({ length: length as number }, (_, index) => index)),
    choice: runs(({ as }) => (as === "number" ? 5 : "five")),
    wrong: runs(() => ({ x: "no number" })),
    image: runs(() => ({ content: [{ type: "image", data: "aGk=", mimeType: "image/png" }, { type: "text", text: "hi", annotations: { priority: 1 } }], _meta: { "example.com/b": [1] } })),
    refuse: runs(() => {
      throw new ToolError("not today");
    }),
    fail: runs(() => {
      throw new Error("a secret of the server");
    }),
    nothing: runs(() => undefined),
    tell: runs(async (_, ctx) => {
      await ctx.progress(1, 3, "one");
      await ctx.progress(2, 3);
      return "told";
    }),
    say: runs(async (_, ctx) => {
      await ctx.clientLog("debug", { at: 1 });
      await ctx.clientLog("error", "two");
      return "said";
    }),
    ask: runs((_, ctx) => {
      const answer = ctx.accepted<Json>("name");
      return answer === undefined ? ctx.ask(QUESTION) : { answer, state: ctx.requestState() ?? null };
    }),
    open: runs((input) => ({ got: Object.keys(input).length })),
    routed: runs((input) => input),
  },
  resources: {
    about: loaded({ read: () => "a fixture" }),
    binary: loaded({ read: () => [{ blob: "aGk=", mimeType: "image/png" }, { uri: "info://server/other", text: "beside it", _meta: { a: 1 } }] }),
    weather: loaded({
      read: ({ city }: Json) => `sunny in ${String(city)}`,
      list: () => [{ uri: "weather://oslo/forecast" }, { uri: "weather://rome/forecast", name: "rome", title: "Rome" }],
      complete: { city: (typed: string) => ["oslo", "osaka", "rome"].filter((city) => city.startsWith(typed)) },
    }),
    file: loaded({ read: ({ path }: Json) => `the file ${String(path)}` }),
    log: loaded({ read: (variables: Json) => JSON.stringify(variables) }),
    gone: loaded({ read: () => undefined }),
    broken: loaded({
      read: () => {
        throw new Error("a secret of the server");
      },
    }),
  },
  prompts: {
    plan: loaded({
      get: ({ city, days }: Json) => `plan ${String(days)} days in ${String(city)}`,
      complete: { city: (typed: string, { arguments: others }: { arguments: Json }) => Array.from({ length: 120 }, (_, index) => `${typed.slice(0, 9)}${Object.keys(others).length}-${index}`) },
    }),
    plain: loaded({ get: () => [{ role: "assistant", content: { type: "text", text: "plain" } }] }),
    talk: loaded({ get: () => ({ description: "a talk", messages: [{ role: "user", content: { type: "resource_link", uri: "info://server/about", name: "about" } }], _meta: { a: 1 } }) }),
  },
};
