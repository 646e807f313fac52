import assert from "node:assert/strict";
import { test } from "node:test";
import type { Handlers } from "../../templates/runtime/context.ts";
import type { Json } from "../../templates/runtime/protocol.ts";
import { ask, callOf, serverOf, textOf } from "./support/ask.ts";
import { handlers } from "./support/fixture.ts";

const fails = async () => {
  throw new Error("Cannot find module './secret.ts'");
};

test("a handler that cannot be imported breaks its own tool alone", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const broken = { ...handlers, tools: { ...handlers.tools, echo: fails, point: async () => ({}) as never, list: async () => ({ default: "x" }) as never }, resources: { ...handlers.resources, weather: fails }, prompts: { ...handlers.prompts, plan: fails } } as Handlers;
  const server = serverOf({ handlers: broken });
  const health = async () => (await ask(server, { target: "/health", method: "GET" })).messages[0]?.["broken"];
  assert.equal(await health(), undefined);
  await server.load();
  const all = ["tool echo", "tool point", "tool list", "resource weather", "prompt plan"];
  assert.deepEqual(await health(), all);
  assert.equal(server.hasFailed(), false, "nobody has asked for it");
  const result = async (method: string, params: Json) => {
    const [message = {}] = (await ask(server, callOf(true, method, params))).messages;
    return (message["result"] ?? message["error"]) as Json;
  };
  assert.deepEqual((await result("tools/call", { name: "open", arguments: {} }))["structuredContent"], { got: 0 });
  for (const [name, args] of [["echo", { text: "a" }], ["point", { x: 1, y: 2 }], ["list", {}]] as const) {
    const failed = await result("tools/call", { name, arguments: args });
    assert.equal(failed["isError"], true);
    assert.match(textOf(failed), new RegExp(`^the handler of the tool ${name} cannot be imported$`));
  }
  assert.equal(server.hasFailed(), true);
  assert.deepEqual(await health(), all, "each is named once");
  assert.match(String(log.mock.calls[0]?.arguments[0]), /"what":"tool echo".*secret\.ts/);
  assert.match(String((await result("resources/read", { uri: "weather://a/forecast" }))["message"]), /resource weather cannot be imported/);
  assert.match(String((await result("prompts/get", { name: "plan", arguments: { city: "a" } }))["message"]), /prompt plan cannot be imported/);
  assert.match(String((await result("completion/complete", { ref: { type: "ref/prompt", name: "plan" }, argument: { name: "city", value: "" } }))["message"]), /cannot be imported/);
  assert.equal(((await result("resources/list", {}))["resources"] as Json[]).length, 4, "the others are listed");
  assert.ok((await result("prompts/get", { name: "plain" }))["messages"]);
});

test("handlers are imported when they are asked for, and not before", async () => {
  const imported: string[] = [];
  const noted = Object.fromEntries(Object.entries(handlers.tools).map(([name, load]) => [name, () => (imported.push(name), load())]));
  const server = serverOf({ handlers: { ...handlers, tools: noted } });
  await ask(server, callOf(true, "tools/list", {}));
  await ask(server, callOf(true, "server/discover", {}));
  assert.deepEqual(imported, []);
  await ask(server, callOf(true, "tools/call", { name: "open", arguments: {} }));
  assert.deepEqual(imported, ["open"]);
});

test("a very long address is refused", { timeout: 20_000 }, async () => {
  const server = serverOf({});
  for (const uri of [`http://a${"\u0301\u0323".repeat(250_000)}`, `weather://${"a".repeat(8192)}/forecast`]) {
    const [message = {}] = (await ask(server, callOf(false, "resources/read", { uri }))).messages;
    assert.match(String((message["error"] as Json)["message"]), /^Resource URI .* is invalid$/s);
  }
});
