// MCP over a WebSocket: the channel, and the object that holds the connection, without workerd.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../templates/runtime/protocol.ts";
import type { Server } from "../../templates/runtime/server.ts";
import { sessionClass } from "../../templates/runtime/session.ts";
import { serverOf, serverOfTool } from "./support/ask.ts";

const bounded = { timeout: 20_000 };

function connected(server: Server = serverOf(), kept: Json = {}) {
  const said: Json[] = [];
  const closed: unknown[] = [];
  const waiting: (() => void)[] = [];
  let attachment: unknown = { address: "", at: Date.now(), heard: {}, ...kept };
  const socket = {
    readyState: 1,
    send(text: string) {
      said.push(JSON.parse(text) as Json);
      for (const wake of waiting.splice(0)) wake();
    },
    close(code: number, reason: string) {
      socket.readyState = 3;
      closed.push([code, reason]);
    },
    serializeAttachment(value: unknown) {
      if (JSON.stringify(value).length > 16_384) throw new Error("too long");
      attachment = structuredClone(value);
    },
    deserializeAttachment: () => structuredClone(attachment),
  };
  const ctx = { waitUntil() {}, storage: { deleteAll: async () => {}, setAlarm: async () => {} }, getWebSockets: () => [socket] };
  const Session = sessionClass(() => server) as unknown as new (ctx: unknown, env: unknown) => { webSocketMessage(socket: unknown, data: string | ArrayBuffer): Promise<void>; webSocketClose(socket: unknown, code: number): Promise<void> };
  const session = new Session(ctx, {});
  return {
    said,
    closed,
    say: (message: unknown) => session.webSocketMessage(socket, typeof message === "string" ? message : JSON.stringify(message)),
    close: () => session.webSocketClose(socket, 1000),
    until: async (is: (message: Json) => boolean): Promise<Json> => {
      for (;;) {
        const found = said.find(is);
        if (found) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}

const request = (id: unknown, method: string, params?: unknown) => ({ jsonrpc: "2.0", id, method, ...(params !== undefined && { params }) });
const hello = request(0, "initialize", { protocolVersion: "2025-11-25", capabilities: { elicitation: {} }, clientInfo: { name: "c", version: "1" } });
const call = (id: unknown, args: Json = {}, meta: Json = {}) => request(id, "tools/call", { name: "it", arguments: args, _meta: meta });

test("requests are answered, nonsense is refused, and neither closes the connection", bounded, async (t) => {
  t.mock.method(console, "error", () => {});
  const { say, said, closed } = connected();
  await say(hello);
  await say(request(1, "tools/call", { name: "open", arguments: null }));
  await say(request(2, "tools/list", null));
  assert.deepEqual(said.map(({ id, result }) => [id, result !== undefined]), [[0, true], [1, true], [2, true]]);
  said.length = 0;
  for (const bad of ["", "{", "1", "null", "[]", "{}", "[".repeat(100_000), `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`, request({}, "ping"), { ...request(1, "ping"), more: 1 }]) await say(bad);
  assert.deepEqual(said.map(({ id, error }) => [id, [-32700, -32600].includes((error as { code: number }).code)]), Array.from({ length: 10 }, () => [null, true]));
  said.length = 0;
  for (const method of ["__proto__", "constructor", "toString", "unknown"]) await say(request(method, method, { level: "debug" }));
  assert.deepEqual(said.map(({ error }) => (error as { code: number }).code), Array(4).fill(-32601));
  assert.deepEqual(closed, []);
});

test("what is too much closes it", bounded, async () => {
  const long = connected();
  await long.say("x".repeat(1_048_577));
  assert.deepEqual(long.closed, [[1009, "a message must not exceed 1048576 bytes"]]);
  const much = connected();
  await much.say({ ...hello, params: { ...hello.params as Json, capabilities: { experimental: { a: { b: "x".repeat(20_000) } } } } });
  assert.equal((much.closed[0] as [number])[0], 1009);
});

test("a call is cancelled, by its client or by the end, and is then not answered", bounded, async () => {
  const stopped: unknown[] = [];
  const server = serverOfTool(({ name }, { signal }) => new Promise(() => signal.addEventListener("abort", () => stopped.push(name))));
  const { say, said, close } = connected(server);
  const first = say(call(1, { name: "first" }));
  const second = say(call("b", { name: "second" }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await say(call(1));
  assert.match(JSON.stringify(said), /a request with this id is not answered yet/);
  await say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
  await first;
  assert.deepEqual(stopped, ["first"]);
  await close();
  await second;
  assert.deepEqual(stopped, ["first", "second"]);
  assert.equal(said.length, 1);
});

test("so many requests at a time, and no more", bounded, async () => {
  const { say, said, close } = connected(serverOfTool((_, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve))));
  const all = Array.from({ length: 33 }, (_, id) => say(call(id)));
  await all[32];
  assert.match(JSON.stringify(said), /at most 32 requests at a time/);
  await close();
  await Promise.all(all);
});

const QUESTION = { name: { method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: {} } } } } as const;
const asking = () => serverOfTool((_, ctx) => ctx.accepted("name") ?? ctx.ask(QUESTION));

test("a question is put in the middle of a call, and leaves no timer", bounded, async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const { say, said, close, until } = connected(asking());
  await say(hello);
  const answered = say(call(1));
  const question = await until(({ method }) => method === "elicitation/create");
  await say({ jsonrpc: "2.0", id: question["id"], result: { action: "accept", content: { name: "Ann" } } });
  await answered;
  assert.deepEqual((said.at(-1)?.["result"] as Json | undefined)?.["structuredContent"], { name: "Ann" });
  const refused = say(call(2));
  const { id } = await until((message) => message["method"] === "elicitation/create" && message["id"] !== question["id"]);
  await say({ jsonrpc: "2.0", id, error: { code: -1, message: "no" } });
  await refused;
  assert.equal((said.at(-1) as { id: number }).id, 2);
  const cancelled = say(call(3));
  await until((message) => message["method"] === "elicitation/create" && ![question["id"], id].includes(message["id"]));
  await say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 3 } });
  await cancelled;
  await close();
  assert.equal(log.mock.callCount(), 0);
  assert.equal(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length, before);
});

test("a client that reads nothing is waited for", bounded, async () => {
  let sent = 0;
  const server = serverOfTool(async (_, ctx) => {
    for (let step = 1; step <= 100; step++) {
      await ctx.progress(step, undefined, "x".repeat(64 * 1024));
      sent = step;
    }
    return "done";
  });
  const { say, said, until } = connected(server);
  const answered = say(call(1, {}, { progressToken: 1 }));
  await until(({ id }) => id === "pace");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(sent < 20);
  const reads = setInterval(() => void say({ jsonrpc: "2.0", id: "pace", result: {} }), 1);
  await answered;
  clearInterval(reads);
  assert.ok(said.at(-1)?.["result"]);
});

test("credentials that are good no more end the session", bounded, async () => {
  const server = serverOf({ auth: { authenticate: async () => ({ id: "ann", scopes: [] }), isStillGood: () => false } });
  const { say, closed } = connected(server, { caller: { id: "ann", scopes: [] } });
  await say(hello);
  assert.deepEqual(closed, [[1008, "the credentials are no longer valid"]]);
});
