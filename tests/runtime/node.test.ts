import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import type { Asked } from "./support/ask.ts";
import { callOf } from "./support/ask.ts";
import type { Json } from "../../templates/runtime/protocol.ts";

const bounded = { timeout: 60_000 };
let port = 0;
let child: ReturnType<typeof spawn>;
let log = "";

before(async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  port = (probe.address() as { port: number }).port;
  probe.close();
  await once(probe, "close");
  child = spawn(process.execPath, ["--expose-gc", "--import", "./support/resolve.ts", "support/node-server.ts", `${port}`], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "pipe"] });
  for (const pipe of [child.stdout, child.stderr]) pipe?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok);
});
after(() => child.kill());

async function eventually(done: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (await done().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail("it did not happen in time");
}

async function call(name: string, args: Json = {}): Promise<Json> {
  const { headers = {}, body = "" } = callOf(true, "tools/call", { name, arguments: args });
  const response = await fetch(`http://127.0.0.1:${port}/mcp`, { method: "POST", headers, body: String(body) });
  return ((await response.json()) as { result: Json }).result;
}

const structured = async (name: string) => (await call(name))["structuredContent"] as { used: number; stopped: number; reading: number };

/** A connection of bytes. */
async function raw(text: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

async function answerTo(text: string): Promise<string> {
  const socket = await raw(text);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

function requestOf({ headers = {}, body = "" }: Asked, more: readonly string[] = [], target = "/mcp"): string {
  const lines = [`POST ${target} HTTP/1.1`, `host: 127.0.0.1:${port}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), ...more];
  return `${lines.join("\r\n")}\r\n\r\n${String(body)}`;
}

const progress = (name: string) => callOf(true, "tools/call", { name, arguments: {}, _meta: { progressToken: 1 } });
const lengthOf = ({ body = "" }: Asked) => `content-length: ${Buffer.byteLength(String(body))}`;

test("a client that leaves stops its call, and leaves no line in the log and nothing in memory", bounded, async () => {
  const { used, stopped } = await structured("memory");
  const before = log.length;
  const leave = async (asked: Asked, when: "at once" | "after an event" | "within the body" | "without reading") => {
    const text = requestOf(asked, [lengthOf(asked)]);
    const socket = await raw(when === "within the body" ? text.slice(0, -20) : text);
    if (when === "after an event") await once(socket, "data");
    if (when === "without reading") socket.pause();
    if (when !== "at once") await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
  };
  const wait = callOf(true, "tools/call", { name: "wait", arguments: {} });
  for (let round = 0; round < 10; round++) {
    await Promise.all([
      leave(progress("flood"), "after an event"), leave(progress("flood"), "without reading"), leave(wait, "without reading"), leave(wait, "at once"), leave(progress("flood"), "within the body"), leave(callOf(false, "tools/list", {}), "within the body"),
    ]);
  }
  await eventually(async () => (await structured("memory")).stopped >= stopped + 30);
  const left = await structured("memory");
  assert.equal(log.slice(before), "");
  assert.ok(left.used - used < 8 * 1024 * 1024, `${left.used - used} bytes are left`);
});

test("a client that leaves before its body is read is waited for no longer", bounded, async () => {
  const before = log.length;
  const asked = callOf(true, "tools/call", { name: "open", arguments: {} });
  const text = requestOf(asked, [lengthOf(asked), "x-slow: 1"]);
  for (const part of [text, text.slice(0, -20)]) {
    const socket = await raw(part);
    await eventually(async () => (await structured("memory")).reading === 1);
    socket.destroy();
  }
  await eventually(async () => (await structured("memory")).reading === 0);
  assert.equal(log.slice(before), "");
});

test("a client that reads slowly all the time leaves nothing behind", bounded, async () => {
  const before = log.length;
  const asked = progress("flood");
  const socket = await raw(requestOf(asked, [lengthOf(asked)]));
  let read = 0;
  for await (const chunk of socket) {
    read += (chunk as Buffer).length;
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (read > 24 * 1024 * 1024) break;
  }
  await eventually(async () => (await structured("memory")).stopped > 0);
  assert.equal(log.slice(before), "");
});

test("a client that reads nothing is waited for", bounded, async () => {
  const { used } = await structured("memory");
  const asked = progress("flood");
  const sockets = await Promise.all([1, 2, 3].map(() => raw(requestOf(asked, [lengthOf(asked)]))));
  for (const socket of sockets) socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { used: meanwhile } = await structured("memory");
  for (const socket of sockets) socket.destroy();
  assert.ok(meanwhile - used < 40 * 1024 * 1024, `${meanwhile - used} bytes wait`);
});

test("a promise that a handler forgot ends no process", bounded, async () => {
  assert.equal(((await call("forget"))["content"] as Json[])[0]?.["text"], "done");
  await eventually(async () => log.includes("forgotten"));
  assert.ok(await call("open"));
  assert.match(log, /"message":"unhandled rejection"/);
});

test("a body that is too long is refused before it is sent, and its rest is not read as a request", bounded, async () => {
  const asked = callOf(true, "tools/call", { name: "open", arguments: {} });
  const declared = await answerTo(requestOf({ ...asked, body: "" }, ["content-length: 1048577"]));
  assert.match(declared, /^HTTP\/1\.1 413 /);
  assert.match(declared, /connection: close/i);
  const smuggled = `GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`.padEnd(1_048_600, "x");
  const sent = await answerTo(requestOf({ ...asked, body: smuggled }, [`content-length: ${smuggled.length}`]));
  assert.equal(sent.split("HTTP/1.1 ").length, 2, sent.slice(0, 500));
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  const chunked = await answerTo(requestOf({ ...asked, body: chunk.repeat(18) }, ["transfer-encoding: chunked"]));
  assert.match(chunked, /^HTTP\/1\.1 413 /);
});

test("a port that is taken is one line in the log, and an end", bounded, async () => {
  const second = spawn(process.execPath, ["--import", "./support/resolve.ts", "support/node-server.ts", `${port}`], { cwd: import.meta.dirname, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  second.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(second, "close")) as [number];
  assert.equal(code, 1);
  const { message, port: taken, reason } = JSON.parse(said) as Json;
  assert.deepEqual([message, taken], ["the server cannot listen", port]);
  assert.match(String(reason), /EADDRINUSE/);
});

test("a connection is kept for the next request", bounded, async () => {
  const asked = callOf(false, "ping", {}, { accept: "application/json" });
  const one = requestOf(asked, [lengthOf(asked)]);
  const last = requestOf(asked, [lengthOf(asked), "connection: close"]);
  const answers = await answerTo(`GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n${one}${last}`);
  assert.equal(answers.split("HTTP/1.1 200").length, 4, answers);
});

test("headers that come twice are never the better of two", bounded, async () => {
  const asked = callOf(true, "tools/call", { name: "open", arguments: {} });
  const status = async (more: readonly string[]) => Number((await answerTo(requestOf(asked, [lengthOf(asked), "connection: close", ...more]))).slice(9, 12));
  assert.equal(await status([]), 200);
  assert.equal(await status(["mcp-name: open"]), 400);
  assert.equal(await status(["mcp-method: tools/list"]), 400);
  assert.equal(await status(["mcp-protocol-version: 2025-11-25"]), 400);
  assert.equal(await status(["origin: http://localhost", "origin: https://evil.example"]), 403);
  assert.equal(await status(["origin: https://evil.example", "origin: http://localhost"]), 403);
  assert.equal(await status(["content-length: 5"]), 400);
  assert.equal(await status(["transfer-encoding: chunked"]), 400);
  const twoHosts = await status(["host: evil.example"]);
  assert.ok([200, 400].includes(twoHosts), `${twoHosts}`);
});

test("nonsense is refused, and does no harm", bounded, async () => {
  const before = log.length;
  const nonsense = ["\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u0000".repeat(1000), `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(5000)}\r\n`, `GET /${"a".repeat(100_000)} HTTP/1.1\r\n\r\n`, "GET /mcp HTTP/1.0\r\n\r\n", "POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /mcp HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"];
  for (const text of nonsense) {
    const socket = await raw(text);
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), 300);
    await new Promise((resolve) => socket.once("close", resolve));
    clearTimeout(timer);
  }
  assert.ok(await call("open"));
  assert.equal(log.slice(before), "");
});

/** Another server, which ends gently; a call of `name` is in flight, and the signal is sent. */
async function ended(name: string, graceMs: number): Promise<{ code: number | null; answer: string; log: string }> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const own = (probe.address() as { port: number }).port;
  probe.close();
  await once(probe, "close");
  const server = spawn(process.execPath, ["--import", "./support/resolve.ts", "support/node-server.ts", `${own}`, `${graceMs}`], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const pipe of [server.stdout, server.stderr]) pipe?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  try {
    await eventually(async () => (await fetch(`http://127.0.0.1:${own}/health`)).ok);
    const { headers = {}, body = "" } = callOf(true, "tools/call", { name, arguments: {} });
    const answer = fetch(`http://127.0.0.1:${own}/mcp`, { method: "POST", headers, body: String(body) }).then((response) => response.text(), () => "cut off");
    await eventually(async () => said.includes(name));
    server.kill("SIGTERM");
    await eventually(async () => said.includes("the server ends"));
    await assert.rejects(fetch(`http://127.0.0.1:${own}/health`, { headers: { connection: "close" } }), "nothing new is accepted");
    if (server.exitCode === null) await once(server, "exit");
    return { code: server.exitCode, answer: await answer, log: said };
  } finally {
    server.kill("SIGKILL");
  }
}

test("after a signal a request in flight gets its answer", bounded, async () => {
  const { code, answer, log: said } = await ended("soon", 30_000);
  assert.equal(code, 0, said);
  assert.match(answer, /in time/);
  assert.doesNotMatch(said, /cut off/);
});

test("after a signal a request that takes too long is cut off", bounded, async () => {
  const { code, answer, log: said } = await ended("soon", 100);
  assert.deepEqual([code, answer], [0, "cut off"], said);
  assert.match(said, /requests in flight are cut off/);
});
