import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer } from "../../templates/runtime/server.ts";
import type { Auth, Server } from "../../templates/runtime/server.ts";
import type { Json } from "../../templates/runtime/protocol.ts";
import { ask, callOf, textOf } from "./support/ask.ts";
import { manifest, variables } from "./support/fixture.ts";

const QUESTION = { name: { method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: {} } } } } as const;
const auth: Auth = { authenticate: async ({ headers }) => ({ id: headers.get("x-caller") ?? "", scopes: [] }), isStillGood: () => true };

function serverWithKey(key: string | undefined): Server {
  const tool = (name: string) => ({ name, inputSchema: { type: "object" }, timeoutMs: 1000 });
  const handler = { run: (_: Json, ctx: { accepted(key: string): unknown; ask(asked: object, state: unknown): unknown; requestState(): unknown }) => (ctx.accepted("name") === undefined ? ctx.ask(QUESTION, { step: 1 }) : { state: ctx.requestState() ?? "none" }) };
  const load = async () => ({ default: handler as never });
  const prompt = { get: (_: Json, ctx: { requestState(): unknown }) => `state ${JSON.stringify(ctx.requestState())}` };
  return createServer({ variables: { ...variables, MCP_STATE_KEY: key }, hosts: [] }, {
    manifest: { ...manifest, tools: [tool("one"), tool("two")], resources: [], prompts: [{ name: "one" }] },
    handlers: { tools: { one: load, two: load }, resources: {}, prompts: { one: async () => ({ default: prompt as never }) } }, auth,
  });
}

const KEY = variables.MCP_STATE_KEY;
const server = serverWithKey(KEY);
const answers = { inputResponses: { name: { action: "accept", content: {} } } };

async function call(name: string, params: Json = {}, caller = "ann", from = server, method = "tools/call"): Promise<Json> {
  const { messages } = await ask(from, callOf(true, method, { name, arguments: {}, ...params }, { "x-caller": caller }));
  return (messages[0]?.["result"] ?? messages[0]?.["error"]) as Json;
}

const asked = async (from = server) => (await call("one", {}, "ann", from))["requestState"] as string;

test("what a handler remembers comes back to it", async () => {
  const first = await call("one");
  assert.deepEqual([first["resultType"], first["inputRequests"]], ["input_required", QUESTION]);
  assert.deepEqual((await call("one", { ...answers, requestState: first["requestState"] }))["structuredContent"], { state: { step: 1 } });
});

test("it is of no use to others, changed, too late or of another key", async (t) => {
  t.mock.method(console, "warn", () => {});
  const state = await asked();
  const [version = "", body = "", signature = ""] = state.split(".");
  const json = JSON.parse(Buffer.from(body, "base64url").toString()) as Json;
  const forged = Buffer.from(JSON.stringify({ ...json, p: { of: "tool one", value: { step: 2 } } })).toString("base64url");
  const refused = { code: -32602, message: "Invalid or expired requestState", data: { reason: "invalid_request_state" } };
  const bad = [
    "", "v1.", "v1..", "x", state.slice(1), `v2${state.slice(2)}`, `${state}x`, state.slice(0, -2), `${version}.${forged}.${signature}`, `${version}.${body}.`, `${version}.${body}`, `v1.${body}.${body}`, "v1.é.é", `v1.${"a".repeat(100_000)}.a`,
    await asked(serverWithKey(`${KEY} another`)),
  ];
  for (const requestState of [...bad, 1, null, {}, [state]]) assert.deepEqual(await call("one", { ...answers, requestState }), refused, JSON.stringify(requestState).slice(0, 50));
  assert.deepEqual(await call("one", { ...answers, requestState: state }, "bob"), refused, "another caller");
  assert.deepEqual(await call("one", { requestState: state }, "ann", server, "prompts/get"), refused, "another method");
  assert.deepEqual((await call("two", { ...answers, requestState: state }))["structuredContent"], { state: "none" }, "another tool");
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 601_000 });
  assert.deepEqual(await call("one", { ...answers, requestState: state }), refused, "too late");
});

test("without a key nothing is signed, and nothing believed", async (t) => {
  t.mock.method(console, "warn", () => {});
  const log = t.mock.method(console, "error", () => {});
  for (const key of [undefined, "", "short"]) {
    const keyless = serverWithKey(key);
    assert.match(textOf(await call("one", {}, "ann", keyless)), /^internal error/);
    assert.equal((await call("one", { ...answers, requestState: await asked() }, "ann", keyless))["code"], -32602);
  }
  assert.match(String(log.mock.calls[0]?.arguments[0]), /MCP_STATE_KEY/);
});
