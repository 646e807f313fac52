import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../templates/runtime/protocol.ts";
import { assertLength, hasObjectRoot, toJson, wrapped } from "../../templates/runtime/results.ts";
import { checkOf } from "../../templates/runtime/schema.ts";
import { ask, callIt, callOf, serverOf, serverOfTool, textOf } from "./support/ask.ts";

const HALF = "\ud83d";

test("texts are well-formed in values, keys and names", () => {
  for (const value of [HALF, `a${HALF}b`, [HALF], { a: HALF }, { [HALF]: 1 }, { a: { [`x${HALF}`]: [HALF] } }, `\\${HALF}`, `\\\\${HALF}`, `\ude00${HALF}`]) {
    const text = toJson(value);
    assert.doesNotMatch(text.replaceAll("\\\\", ""), /\\ud/i);
    assert.ok(JSON.stringify(JSON.parse(text)) === text, text);
  }
  for (const value of ["😀", "\\ud83d", { "\\ud83d": "\\\\ud83d" }, '"\\', "\u0000\u2028"]) assert.deepEqual(JSON.parse(toJson(value)), value);
  assert.equal(JSON.parse(toJson(`a${HALF}`)), "a\ufffd");
});

test("what a tool says is well-formed in both generations, wherever it says it", async (t) => {
  t.mock.method(console, "error", () => {});
  const { ToolError } = await import("../../templates/runtime/context.ts");
  const server = serverOfTool(async ({ how }, ctx) => {
    if (how === "error") throw new ToolError(HALF);
    if (how === "tell") await ctx.progress(1, 2, HALF);
    if (how === "log") await ctx.clientLog("error", { [HALF]: HALF });
    if (how === "emit") return void (await ctx.emit(HALF));
    return how === "full" ? { content: [{ type: "text", text: HALF }], _meta: { [HALF]: HALF } } : { text: HALF };
  });
  for (const isModern of [true, false]) {
    for (const how of ["error", "tell", "log", "emit", "full", "value"]) {
      const _meta = { progressToken: 1, ...(isModern && { "io.modelcontextprotocol/logLevel": "debug" }) };
      const { text } = await ask(server, callOf(isModern, "tools/call", { name: "it", arguments: { how }, _meta }));
      assert.match(text, /\ufffd/, how);
      assert.doesNotMatch(text, /\\ud83d/, how);
    }
  }
  const unknown = await ask(serverOf(), callOf(false, "tools/call", { name: HALF }));
  assert.doesNotMatch(unknown.text, /\\ud83d/);
});

test("a value with `toJSON` is what it says, in both generations", async () => {
  class Money {
    toJSON() {
      return { amount: 5 };
    }
  }
  const output = { type: "object", properties: { amount: { type: "number" } }, required: ["amount"] };
  for (const tool of [{}, { outputSchema: output }]) {
    const server = serverOfTool(() => new Money(), tool);
    for (const isModern of [true, false]) {
      const result = await callIt(server, {}, isModern);
      assert.deepEqual([result["structuredContent"], textOf(result)], [{ amount: 5 }, '{"amount":5}']);
    }
  }
  const date = await callIt(serverOfTool(() => new Date(0)));
  assert.equal(textOf(date), "1970-01-01T00:00:00.000Z");
  assert.equal(date["structuredContent"], undefined);
});

test("what is not JSON is an error that says so", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const bad: unknown[] = [new Map(), new Set([1]), new Error("x"), new TypeError("x"), new Response("x"), Promise.resolve(1), new WeakMap(), new Blob([])];
  for (const value of [...bad, () => 1, Symbol("x")]) assert.throws(() => toJson(value), /returned a .*, which is not a JSON value/);
  for (const value of bad) {
    for (const inside of [[value], { a: value }, { a: [{ b: value }] }, { empty: {}, a: [value] }]) assert.throws(() => toJson(inside), /is not a JSON value/, String(value));
  }
  for (const value of [{ a: {} }, [], {}, { a: undefined }, [undefined], Object.create(null)]) assert.doesNotThrow(() => toJson(value));
  const circular: Json = {};
  circular["self"] = circular;
  for (const value of [new Map(), { a: new Set() }, circular, 5n, { a: 5n }]) {
    log.mock.resetCalls();
    assert.match(textOf(await callIt(serverOfTool(() => value))), /^internal error \(ref /);
    assert.match(String(log.mock.calls[0]?.arguments[0]), /is not a JSON value|circular|BigInt/);
  }
});

test("a result is measured in bytes", async () => {
  assert.doesNotThrow(() => assertLength("é".repeat(499), 1000));
  assert.throws(() => assertLength("é".repeat(500), 1000), /1002 bytes, and this server sends 1000/);
  const server = serverOfTool(({ length }) => "é".repeat(length as number), {}, { maxResultBytes: 1000 });
  assert.match(textOf(await callIt(server, { length: 600 })), /the result is too long/);
});

test("output schemas other than objects are wrapped for the generations with a handshake", async () => {
  const schemas: Json[] = [{ type: "array", items: { type: "integer" } }, { type: "string" }, { enum: ["a"] }, { oneOf: [{ type: "object" }, { type: "string" }] }, {}];
  for (const schema of schemas) assert.equal(hasObjectRoot(schema), false);
  for (const schema of [{ type: "object" }, { properties: {} }, { required: ["a"] }, { oneOf: [{ type: "object" }, { properties: {} }] }]) assert.equal(hasObjectRoot(schema), true);
  const tree: Json = { $schema: "https://json-schema.org/draft/2020-12/schema", type: "array", items: { $ref: "#/$defs/node" }, $defs: { node: { type: "object", properties: { $ref: { type: "string" }, next: { $ref: "#" }, node: { $ref: "#/$defs/node" } }, default: { $ref: "#" } } } };
  const around = wrapped(tree);
  assert.equal(checkOf(around)({ result: [{ next: [], node: { $ref: "a" } }] }), undefined);
  assert.notEqual(checkOf(around)({ result: [{ next: 1 }] }), undefined);
  assert.notEqual(checkOf(around)({ result: [{ node: 1 }] }), undefined);
  assert.notEqual(checkOf(around)({}), undefined);
  const node = ((around["properties"] as Json)["result"] as Json)["$defs"] as { node: Json };
  assert.deepEqual(node.node["default"], { $ref: "#" }, "data is left as it is");
  const server = serverOfTool(() => [1, 2], { outputSchema: schemas[0] });
  assert.deepEqual((await callIt(server, {}, true))["structuredContent"], [1, 2]);
  assert.deepEqual((await callIt(server, {}, false))["structuredContent"], { result: [1, 2] });
});

test("an output that does not match its schema is an error of the server, masked", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const server = serverOfTool(({ full }) => (full ? { content: [], structuredContent: { a: 1 } } : { a: 1 }), { outputSchema: { type: "object", properties: { a: { type: "string" } } } });
  for (const full of [true, false]) assert.match(textOf(await callIt(server, { full })), /^internal error/);
  assert.match(String(log.mock.calls[0]?.arguments[0]), /does not match its schema: .*#\/a/);
});

test("a result names its version of the protocol once", async () => {
  const server = serverOfTool(() => ({ content: [], resultType: "complete" }));
  for (const isModern of [true, false]) {
    const { text } = await ask(server, callOf(isModern, "tools/call", { name: "it" }));
    assert.equal(text.split('"resultType"').length, isModern ? 2 : 1, text);
  }
});
