import assert from "node:assert/strict";
import { test } from "node:test";
import { EventStream, MOST_UNREAD } from "../../templates/runtime/http.ts";
import { toFetch } from "../../templates/runtime/web.ts";
import { callOf, serverOf } from "./support/ask.ts";

const turns = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

test("whoever sends waits for a slow reader, however many send at once", { timeout: 5000 }, async () => {
  const stream = new EventStream(() => {});
  stream.write("a".repeat(MOST_UNREAD));
  await stream.room();
  stream.write("b");
  let over = 0;
  const waiting = [1, 2, 3].map(() => stream.room().then(() => (over += 1)));
  await turns();
  assert.equal(over, 0);
  assert.equal((await stream.next())?.length, MOST_UNREAD + 1);
  await Promise.all(waiting);
  assert.equal(over, 3);
});

test("the end, or a client that leaves, lets everybody go", { timeout: 5000 }, async () => {
  for (const how of ["end", "cancel"] as const) {
    let gone = 0;
    const stream = new EventStream(() => (gone += 1));
    stream.write("a".repeat(MOST_UNREAD + 1));
    const waiting = [stream.room(), stream.room()];
    stream[how]();
    await Promise.all(waiting);
    assert.equal(gone, how === "cancel" ? 1 : 0);
    stream.write("more");
    assert.equal((await stream.next())?.length, how === "cancel" ? undefined : MOST_UNREAD + 1);
    assert.equal(await stream.next(), undefined);
  }
  const idle = new EventStream(() => {});
  const next = idle.next();
  idle.cancel();
  assert.equal(await next, undefined);
});

test("a web platform gets a stream that can be cancelled", { timeout: 5000 }, async () => {
  const aborted = Promise.withResolvers<void>();
  const { serverOfTool } = await import("./support/ask.ts");
  const server = serverOfTool(async (_, ctx) => {
    ctx.signal.addEventListener("abort", () => aborted.resolve());
    await ctx.progress(1);
    await new Promise(() => {});
  });
  const { headers = {}, body = "" } = callOf(true, "tools/call", { name: "it", arguments: {}, _meta: { progressToken: 1 } });
  const response = await toFetch(server)(new Request("http://localhost/mcp", { method: "POST", headers, body: String(body) }), () => {});
  const reader = response.body!.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /notifications\/progress/);
  await reader.cancel();
  await aborted.promise;
});

test("a body that breaks off is not an error of the server", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("the connection is lost")) });
  await toFetch(serverOf())(new Request("http://localhost/mcp", { method: "POST", headers: { "content-type": "application/json" }, body, duplex: "half" } as RequestInit), () => {});
  assert.equal(log.mock.callCount(), 0);
});

test("a body is read no further than allowed", async () => {
  const fetch = toFetch(serverOf());
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const request = new Request("http://localhost/mcp", { method: "POST", headers: { "content-type": "application/json" }, body: endless, duplex: "half" } as RequestInit);
  assert.equal((await fetch(request, () => {})).status, 413);
  assert.ok(pulled < 30);
});
