import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallToolResult } from "../../templates/runtime/protocol.ts";
import { ask } from "../../templates/runtime/testing.ts";
import { serverOf, serverOfTool } from "./support/ask.ts";

test("what a handler says reaches its test as it is, line separators included", async () => {
  const text = 'a\u2028b\u2029c\nd\r"e" é 😀';
  const server = serverOfTool(async (_, ctx) => {
    await ctx.progress(1, 2, text);
    return text;
  });
  const { result, progress } = await ask<CallToolResult>(server, "tools/call", "it", { name: "it", arguments: {} }, {});
  assert.deepEqual([result.content, progress], [[{ type: "text", text }], [{ progress: 1, total: 2, message: text }]]);
});

test("a question is answered from the test, or is one that it forgot", async () => {
  const call = (answers?: Record<string, unknown>) => ask<CallToolResult>(serverOf(), "tools/call", "ask", { name: "ask", arguments: {} }, { ...(answers && { answers }) });
  assert.deepEqual((await call({ name: { name: "Ann" } })).result.structuredContent, { answer: { name: "Ann" }, state: null });
  assert.deepEqual((await call({ name: { action: "decline" } })).result.structuredContent, { answer: null, state: null });
  await assert.rejects(call(), /the handler asks for name/);
});

test("names of any kind can be asked for, and what is not there is an error of the protocol", async () => {
  for (const name of ["écho", "=?base64?x", " ", "a b"]) await assert.rejects(ask(serverOf(), "tools/call", name, { name }, {}), { name: "ProtocolError", code: -32602 });
});
