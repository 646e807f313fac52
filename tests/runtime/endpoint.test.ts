import assert from "node:assert/strict";
import { test } from "node:test";
import { isTooDeep } from "../../templates/runtime/endpoint.ts";
import { createLog } from "../../templates/runtime/env.ts";
import { Answer, EventStream, refusal } from "../../templates/runtime/http.ts";
import type { Json } from "../../templates/runtime/protocol.ts";
import { ask, BOTH, callIt, callOf, incomingOf, serverOf, serverOfTool, textOf } from "./support/ask.ts";
import { manifest } from "./support/fixture.ts";

const post = (message: unknown, headers: Record<string, string> = {}) => ({
  headers: { "content-type": "application/json", accept: BOTH, ...headers }, body: typeof message === "string" ? message : JSON.stringify(message),
});
const list = (id: unknown) => ({ jsonrpc: "2.0", id, method: "ping" });
const codeOf = (messages: Json[]) => (messages[0]?.["error"] as { code: number } | undefined)?.code;
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

test("`null` for what may be absent is absent", async () => {
  const server = serverOf();
  for (const isModern of [true, false]) {
    const { body = "", ...asked } = callOf(isModern, "tools/call", { name: "open", arguments: {} });
    const { messages } = await ask(server, { ...asked, body: String(body).replace('"arguments":{}', '"arguments":null') });
    assert.deepEqual((messages.at(-1)?.["result"] as Json | undefined)?.["structuredContent"], { got: 0 });
  }
  for (const method of ["ping", "tools/list"]) assert.ok((await ask(server, post({ jsonrpc: "2.0", id: 1, method, params: null }))).messages[0]?.["result"]);
  assert.equal((await ask(server, post({ jsonrpc: "2.0", method: "notifications/initialized", params: null }))).status, 202);
  const batch = await ask(server, post([{ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "open", arguments: null } }, { ...list(2), params: null }], { accept: "application/json" }));
  assert.deepEqual(batch.messages.map((message) => "result" in message), [true, true]);
});

test("a batch is answered as a list, or as events", async () => {
  const server = serverOf();
  const asList = await ask(server, post([list(1), list("b")], { accept: "application/json" }));
  assert.deepEqual([asList.status, asList.headers["content-type"], asList.messages.map(({ id }) => id)], [200, "application/json", [1, "b"]]);
  assert.ok(asList.text.startsWith("["));
  const asEvents = await ask(server, post([list(1), list(2)]));
  assert.deepEqual([asEvents.headers["content-type"], asEvents.messages.length], ["text/event-stream", 2]);
  assert.equal((await ask(server, post([{ jsonrpc: "2.0", method: "notifications/initialized" }]))).status, 202);
  for (const bad of [[], [1], [null], [[list(1)]], [list(1), {}], Array.from({ length: 101 }, (_, id) => list(id))]) {
    const { status, messages } = await ask(server, post(bad));
    assert.deepEqual([status, codeOf(messages)], [400, -32600], JSON.stringify(bad).slice(0, 60));
  }
});

test("a batch counts as what it holds", async () => {
  let counted = 0;
  const server = serverOf({ limit: async () => ((counted += 1) > 20 ? refusal(429, -32000, "too many") : undefined) });
  assert.equal((await ask(server, post(Array.from({ length: 20 }, (_, id) => list(id))))).status, 200);
  assert.equal(counted, 20);
  assert.equal((await ask(server, post([list(1)]))).status, 429);
  counted = 0;
  const tooMany = await ask(server, post(Array.from({ length: 100 }, (_, id) => list(id))));
  assert.deepEqual([tooMany.status, counted], [429, 21]);
  counted = 0;
  await ask(server, post([list(1), { jsonrpc: "2.0", method: "notifications/initialized" }, list(2)]));
  assert.equal(counted, 2);
});

test("a message may be nested so deep, and no deeper", async () => {
  assert.equal(isTooDeep(nested(128)), false);
  assert.equal(isTooDeep(nested(129)), true);
  assert.equal(isTooDeep("[".repeat(1_000_000)), true);
  assert.equal(isTooDeep(`["${"[{".repeat(10_000)}"]`), false, "in a string they do not count");
  assert.equal(isTooDeep(`["${'\\"['.repeat(10_000)}"]`), false);
  assert.equal(isTooDeep(`["\\\\",${"[".repeat(300)}`), true);
  assert.equal(isTooDeep("[[],".repeat(100) + "[]".padEnd(300)), false);
  const server = serverOf();
  for (const levels of [130, 5_500, 150_000]) {
    for (const inside of [(deep: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open","arguments":${deep}}}`, (deep: string) => `[${deep}]`, (deep: string) => `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":${deep}}}`]) {
      const { status, messages } = await ask(server, post(inside(nested(levels))));
      assert.deepEqual([status, codeOf(messages)], [400, -32600]);
    }
  }
});

test("each client gets the form that it takes", async () => {
  const types: Record<string, readonly [legacy: string, modern: string, told: string]> = {
    "application/json": ["application/json", "application/json", "application/json"],
    "text/event-stream": ["text/event-stream", "text/event-stream", "text/event-stream"],
    [BOTH]: ["text/event-stream", "application/json", "text/event-stream"],
    "*/*": ["application/json", "application/json", "text/event-stream"],
    "": ["application/json", "application/json", "text/event-stream"],
    "text/html": ["application/json", "application/json", "text/event-stream"],
  };
  const server = serverOf();
  for (const [accept, [legacy, modern, told]] of Object.entries(types)) {
    const typeOf = async (isModern: boolean, name: string) => (await ask(server, callOf(isModern, "tools/call", { name, arguments: {}, _meta: { progressToken: 1 } }, { accept }))).headers["content-type"];
    assert.deepEqual([await typeOf(false, "open"), await typeOf(true, "open"), await typeOf(true, "tell"), await typeOf(false, "tell")], [legacy, modern, told, told], accept);
  }
});

test("a silent call is kept alive, and its timer ends with it", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let finish = () => {};
  const server = serverOfTool(() => new Promise<string>((resolve) => (finish = () => resolve("done"))));
  const answered = server.answer(incomingOf(callOf(true, "tools/call", { name: "it", arguments: {} })));
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  t.mock.timers.tick(15_000);
  const answer = await answered;
  assert.ok(answer instanceof Answer && answer.body instanceof EventStream);
  assert.equal(await answer.body.next(), ": keepalive\n\n");
  t.mock.timers.tick(30_000);
  assert.equal(await answer.body.next(), ": keepalive\n\n: keepalive\n\n");
  finish();
  assert.match((await answer.body.next()) ?? "", /"text":"done"/);
  assert.equal(await answer.body.next(), undefined);
  // A client that takes no events receives nothing before the end.
  const json = ask(server, callOf(true, "tools/call", { name: "it", arguments: {} }, { accept: "application/json" }));
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  t.mock.timers.tick(60_000);
  finish();
  assert.equal((await json).headers["content-type"], "application/json");
});

test("a client that leaves stops the handler without an error", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const gone = new AbortController();
  const seen = Promise.withResolvers<string>();
  const server = serverOfTool(async (_, { signal }) => {
    signal.addEventListener("abort", () => seen.resolve((signal.reason as Error).message));
    setTimeout(() => gone.abort(), 5);
    await new Promise(() => {});
  });
  const answer = ask(server, { ...callOf(true, "tools/call", { name: "it", arguments: {} }), gone });
  assert.equal(await seen.promise, "cancelled");
  await answer;
  assert.equal(log.mock.callCount(), 0);
});

test("a call ends at its time limit, whatever the handler does", async (t) => {
  t.mock.method(console, "warn", () => {});
  const server = serverOfTool(() => new Promise(() => {}), { timeoutMs: 20 });
  assert.equal(textOf(await callIt(server)), "timed out after 20 ms");
});

test("only its path, host and origin are served", async () => {
  const server = serverOf({ manifest: { ...manifest, access: { origins: ["https://app.example"], hosts: ["mcp.example", "*.apps.example"] } } });
  const status = async (headers: Record<string, string>, target = "/mcp") => (await ask(server, { ...post(list(1), headers), target })).status;
  for (const target of ["/mcp", "/mcp/", "/mcp?a=b", "/mcp/?a"]) assert.equal(await status({}, target), 200, target);
  for (const target of ["/", "/MCP", "/mcp//", "/mcp/x", "//mcp", "/mcp%2f", "http://localhost/mcp", ""]) assert.equal(await status({}, target), 404, target);
  for (const host of ["localhost:3000", "127.0.0.1", "[::1]:80", "mcp.example", "MCP.example:443", "a.apps.example", "a.b.apps.example"]) assert.equal(await status({ host }), 200, host);
  for (const host of ["", "evil.example", "apps.example", "xmcp.example", "localhost.evil.example", "localhost, evil.example", "evil.example#localhost", "localhost@evil.example", "127.0.0.1.evil.example", "[::1]evil"]) assert.equal(await status({ host }), 403, host);
  for (const origin of ["https://app.example", "http://localhost:6274", "http://127.0.0.1"]) assert.equal(await status({ origin }), 200, origin);
  for (const origin of ["null", "", "https://evil.example", "https://app.example.evil.example", "http://app.example", "http://localhost.evil.example", "x"]) assert.equal(await status({ origin }), 403, origin);
  assert.equal(await status({ host: "mcp.example", origin: "http://localhost:6274" }), 403, "a page on the user's machine may not read a server elsewhere");
  const preflight = await ask(server, { method: "OPTIONS", headers: { origin: "http://localhost:6274", "access-control-request-headers": "mcp-param-region" } });
  assert.deepEqual([preflight.status, preflight.headers["access-control-allow-headers"], preflight.headers["access-control-allow-origin"]], [204, "mcp-param-region", "http://localhost:6274"]);
});

test("methods named as members of every object are not there", async () => {
  for (const method of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assert.equal(codeOf((await ask(serverOf(), callOf(false, method, {}))).messages), -32601);
    assert.equal((await ask(serverOf(), callOf(true, method, {}))).status, 404);
  }
});

test("no line of the log is as long as a client likes", async (t) => {
  const lines: string[] = [];
  for (const level of ["info", "warn", "error"] as const) t.mock.method(console, level, (line: string) => lines.push(line));
  const long = "x".repeat(500_000);
  const server = serverOf({}, { LOG_LEVEL: "debug" });
  const { body = "", ...asked } = callOf(true, "tools/call", { name: "fail", arguments: {} });
  for (const text of [String(body).replace('"id":1', `"id":"${long}"`), String(body).replace("tools/call", long), String(body).replace('"2026-07-28"', `"2026-07-28${long}"`), String(body).replace('"fail"', `"${long}"`), long]) {
    await ask(server, { ...asked, body: text });
    await ask(server, { headers: { "content-type": "application/json" }, body: text });
  }
  const chatty = serverOfTool((_, ctx) => ctx.log("error", "hello"));
  await ask(chatty, { ...asked, headers: { ...asked.headers, "mcp-name": "it" }, body: String(body).replace('"id":1', `"id":"${long}"`).replace('"fail"', '"it"') });
  assert.ok(lines.length > 5);
  for (const line of lines) assert.ok(line.length < 3_000, `${line.length}: ${line.slice(0, 300)}`);
});

test("an error of the server says nothing of itself", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const server = serverOf();
  for (const [method, params] of [["tools/call", { name: "fail", arguments: {} }], ["resources/read", { uri: "info://server/broken" }]] as const) {
    const { text } = await ask(server, callOf(true, method, params));
    assert.match(text, /internal error \(ref [0-9a-f-]{36}\)/);
    assert.doesNotMatch(text, /secret/);
  }
  assert.equal(log.mock.callCount(), 2);
  assert.match(String(log.mock.calls[0]?.arguments[0]), /a secret of the server/);
});

test("the log has the causes of an error below it, without the secrets in them", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const logged = async (error: unknown) => {
    const server = serverOfTool(() => {
      throw error;
    });
    const { text } = await ask(server, callOf(true, "tools/call", { name: "it", arguments: {} }));
    assert.match(text, /internal error/);
    assert.doesNotMatch(text, /reason/);
    const line = String(log.mock.calls.at(-1)?.arguments[0]);
    return (JSON.parse(line) as { error: string }).error;
  };
  const told = await logged(new Error("outer", { cause: new Error("middle", { cause: new TypeError("the real reason") }) }));
  assert.match(told, /^Error: outer\n    at .*\n\[cause\]: Error: middle\n    at .*\n\[cause\]: TypeError: the real reason\n    at /s);
  const refused = await fetch("http://127.0.0.1:9").catch((error: unknown) => error);
  assert.match(await logged(refused), /^TypeError: fetch failed\n.*\[cause\]: .*(ECONNREFUSED 127\.0\.0\.1:9|bad port)/s);
  const several = new AggregateError([new Error("reason 1"), "reason 2"], "all failed", { cause: { reason: 3 } });
  assert.match(await logged(several), /^AggregateError: all failed\n.*\[cause\]: \{"reason":3\}\n\[error\]: Error: reason 1\n.*\[error\]: reason 2$/s);
  const cycle = new Error("round");
  cycle.cause = new Error("and round", { cause: cycle });
  assert.equal((await logged(cycle)).match(/round/g)?.length, 2);
  const many = new AggregateError(Array.from({ length: 1_000 }, (_, at) => new Error(`${at} ${"x".repeat(10_000)}`)), "many");
  const bounded = await logged(many);
  assert.ok(bounded.length < 50_000 && bounded.endsWith("[cause]: …"), `${bounded.length}`);
  let deep = new Error("the first reason");
  for (let depth = 0; depth < 1_000; depth++) deep = new Error(`${depth}`, { cause: deep });
  assert.ok((await logged(deep)).length < 50_000);
  // Also where a text is cut in the middle of one.
  const write = createLog({ ...manifest, secrets: ["TOKEN"] }, {}, { TOKEN: "hunter2hunter2" });
  for (const before of [0, 3_990]) {
    const cause = new Error(`${"x".repeat(before)}hunter2hunter2`, { cause: "hunter2hunter2" });
    write("error", "failed", { error: new Error("outer", { cause }) });
    const line = String(log.mock.calls.at(-1)?.arguments[0]);
    assert.ok(line.includes("[cause]: ***") && !line.includes("hunter"), line.slice(-300));
  }
});

test("headers of blanks are read in linear time", { timeout: 20_000 }, async () => {
  const server = serverOf();
  const value = `a${" \t".repeat(60_000)}b`;
  for (const header of ["mcp-protocol-version", "mcp-method", "mcp-name", "content-type", "accept", "authorization", "host", "origin", "x-mcp-local-budget", "mcp-param-region"]) {
    const { status } = await ask(server, callOf(true, "tools/call", { name: "routed", arguments: { region: "eu" } }, { [header]: value }));
    assert.ok(status === 200 || status >= 400, `${header} ${status}`);
  }
  const named = await ask(server, callOf(true, "tools/call", { name: "open", arguments: {} }, { "mcp-name": " \topen\t ", "mcp-method": "\ttools/call " }));
  assert.equal(named.status, 200);
});
