// A long proof, not part of `npm test`: mixed requests, streams and clients that leave; afterwards the memory is what
// it was.
// `node --import ./support/resolve.ts soak.ts [REQUESTS]`
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Asked } from "./support/ask.ts";
import { callOf } from "./support/ask.ts";
import type { Json } from "../../templates/runtime/protocol.ts";

const TOTAL = Number(process.argv[2] ?? 40_000);
const ROUNDS = 5;
const AT_ONCE = 16;
/** What caches of the platform take, whatever the number of requests. */
const ALLOWED = 2 * 1024 * 1024;

const probe = createServer().listen(0, "127.0.0.1");
await once(probe, "listening");
const { port } = probe.address() as { port: number };
probe.close();
await once(probe, "close");
const options = ["--expose-gc", "--import", "./support/resolve.ts", "support/node-server.ts", `${port}`];
const child = spawn(process.execPath, options, { cwd: import.meta.dirname, stdio: ["ignore", "ignore", "ignore"] });

const send = (asked: Asked, signal?: AbortSignal) =>
  fetch(`http://127.0.0.1:${port}/mcp`, { method: "POST", headers: asked.headers ?? {}, body: String(asked.body), ...(signal && { signal }) });
const called = (isModern: boolean, name: string, args: Json = {}, more: Json = {}) => callOf(isModern, "tools/call", { name, arguments: args, ...more });
const progress = { _meta: { progressToken: 1 } };
let left = 0;

/** Every kind of request in turn; one of twelve leaves before its answer has ended. */
async function one(number: number): Promise<void> {
  const isModern = number % 2 === 0;
  const kinds: readonly (() => Asked)[] = [
    () => called(isModern, "echo", { text: `number ${number}` }), () => called(isModern, "point", { x: number, y: 1 }), () => called(isModern, "echo", { text: number }),
    () => callOf(isModern, "tools/list", {}), () => callOf(isModern, "resources/read", { uri: `weather://city-${number}/forecast` }), () => called(isModern, "tell", {}, progress),
    () => called(isModern, "fail"), () => callOf(isModern, "prompts/get", { name: "plan", arguments: { city: `city ${number}` } }), () => called(isModern, `unknown-${number}`), () => called(isModern, "forget"),
    () => ({ ...called(isModern, "echo"), body: `{"broken": ${number}` }),
  ];
  const kind = number % (kinds.length + 1);
  const asked = kinds[kind];
  if (asked) {
    const response = await send(asked());
    await response.text();
    return assert.ok(response.status < 500, `${kind}: ${response.status}`);
  }
  const leaving = new AbortController();
  const gone = send(called(isModern, number % 24 < 12 ? "wait" : "flood", {}, progress), leaving.signal).then(async (response) => {
    const reader = response.body!.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read());
  });
  setTimeout(() => leaving.abort(), 20);
  await assert.rejects(gone);
  left += 1;
}

interface Told {
  readonly used: number;
  /** Of the calls that wait for their client to leave: one that left at once has none. */
  readonly begun: number;
  readonly stopped: number;
}

async function memory(): Promise<Told> {
  // The last of those who left may not be noticed yet, and what the collector frees is freed in two turns.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await (await send(called(true, "memory"))).text();
  }
  const message = (await (await send(called(true, "memory"))).json()) as { result: { structuredContent: Told } };
  return message.result.structuredContent;
}

try {
  for (let turn = 0; !(await fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok, () => false)); turn++) {
    assert.ok(turn < 400, "the server does not start");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const measured: number[] = [];
  let next = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const until = (TOTAL * round) / ROUNDS;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < until) await one(next++);
    }));
    const { used, begun, stopped } = await memory();
    assert.equal(stopped, begun, "a call goes on without its client");
    assert.ok(begun > left / 2, "hardly a client left during its call");
    measured.push(used);
    console.log(`${next} requests, ${left} left: ${(used / 1024 / 1024).toFixed(2)} MiB`);
  }
  // The first round fills caches and compiles.
  const grown = measured.at(-1)! - measured[0]!;
  assert.ok(grown < ALLOWED, `the heap grew by ${grown} bytes`);
} finally {
  child.kill();
}
