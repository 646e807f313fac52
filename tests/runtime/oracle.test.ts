// Each request of the corpus goes to the runtime and to the SDK: both answer alike, or the difference is one that is intended and counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Answer } from "../../templates/runtime/http.ts";
import type { Incoming } from "../../templates/runtime/http.ts";
import { createServer } from "../../templates/runtime/server.ts";
import type { Parts, Server } from "../../templates/runtime/server.ts";
import { corpus } from "./support/corpus.ts";
import type { Sample } from "./support/corpus.ts";
import { DIFFERENCES } from "./support/differences.ts";
import type { Heard } from "./support/differences.ts";
import { bare, handlers, manifest, variables } from "./support/fixture.ts";
import { sdkEndpoint } from "./support/sdk.ts";

const serverOf = (parts: Partial<Parts>, isBare: boolean) => createServer({ variables, hosts: [] }, { manifest: isBare ? bare : manifest, handlers, ...parts });
const ours = [serverOf({}, false), serverOf({}, true)] as const;
const theirs = [serverOf({ endpoint: sdkEndpoint }, false), serverOf({ endpoint: sdkEndpoint }, true)] as const;
/** A cut of the corpus: every n-th request. */
const EVERY = Number(process.env["CORPUS_EVERY"] ?? 1);

async function ask(server: Server, { target, headers, body }: Sample): Promise<Heard> {
  const gone = new AbortController();
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const fields = new Map(Object.entries({ host: "localhost", ...headers }));
  const incoming: Incoming = {
    method: "POST", target, headers: fields, signal: gone.signal, cancel: () => gone.abort(), waitUntil: () => {}, read: async (limit) => (bytes.length > limit ? undefined : bytes),
  };
  const answer = await server.answer(incoming);
  let text = "";
  if (!(answer instanceof Answer)) text = await answer.text();
  else if (typeof answer.body === "string") text = answer.body;
  else if (answer.body) for (let events = await answer.body.next(); events !== undefined; events = await answer.body.next()) text += events;
  const type = answer instanceof Answer ? answer.headers["content-type"] : answer.headers.get("content-type");
  return { status: answer.status, messages: messagesOf(type, text.replaceAll(/\(ref [^)]*\)/g, "(ref REF)")) };
}

function messagesOf(type: string | null | undefined, text: string): unknown[] {
  if (type?.startsWith("text/event-stream")) return text.split("\n").flatMap((line) => (line.startsWith("data: {") ? [JSON.parse(line.slice(6)) as unknown] : []));
  if (text === "" || !type?.startsWith("application/json")) return text === "" ? [] : [text];
  const message = JSON.parse(text) as unknown;
  return Array.isArray(message) ? message : [message];
}

const codes = ({ status, messages }: Heard) => ({ status, codes: messages.map((message) => (message as { error?: { code: number } }).error?.code) });

function areAlike(sample: Sample, left: Heard, right: Heard): boolean {
  try {
    assert.deepEqual(codes(left), codes(right));
    if (sample.isWellFormed) assert.deepEqual(left.messages, right.messages);
    return true;
  } catch {
    return false;
  }
}

test("the runtime answers as the SDK does", async (t) => {
  t.mock.method(console, "error", () => {}); // the handlers that fail
  const counts = new Map<string, number>();
  const wrong: string[] = [];
  let total = 0;
  for (const [index, sample] of [...corpus()].entries()) {
    if (index % EVERY !== 0) continue;
    total += 1;
    const which = sample.isBare ? 1 : 0;
    const [left, right] = [await ask(ours[which], sample), await ask(theirs[which], sample)];
    if (areAlike(sample, left, right)) continue;
    const intended = DIFFERENCES.find(({ is }) => is(sample, left, right));
    if (intended?.instead) assert.deepEqual(codes(left), codes(await ask(theirs[which], intended.instead(sample))), `${sample.name}: ${intended.id}`);
    if (intended) counts.set(intended.id, (counts.get(intended.id) ?? 0) + 1);
    else wrong.push(`${sample.name}\n  ours   ${JSON.stringify(left).slice(0, 600)}\n  theirs ${JSON.stringify(right).slice(0, 600)}`);
  }
  const intended = [...counts.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${total} requests, ${intended} intended differences (${((100 * intended) / total).toFixed(2)} %), ${wrong.length} others`);
  for (const { id, reason } of DIFFERENCES) console.log(`  ${String(counts.get(id) ?? 0).padStart(4)}  ${id}: ${reason}`);
  assert.equal(wrong.length, 0, `${wrong.length} answers differ:\n${wrong.slice(0, Number(process.env["SHOWN"] ?? 20)).join("\n")}`);
  assert.ok(intended <= total * 0.05, "more than 5 % of the answers differ by intention");
  if (EVERY > 1) return;
  assert.ok(total >= 2000, "the corpus is too small");
  for (const { id, count } of DIFFERENCES) assert.equal(counts.get(id) ?? 0, count, `the difference ${id} has another count`);
});
