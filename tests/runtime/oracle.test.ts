// Each request of the corpus goes to the runtime and to the SDK: both answer alike, or the difference is one that is
// intended and counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../templates/runtime/protocol.ts";
import type { Parts, Server } from "../../templates/runtime/server.ts";
import { ask, serverOf } from "./support/ask.ts";
import { corpus } from "./support/corpus.ts";
import type { Sample } from "./support/corpus.ts";
import { DIFFERENCES } from "./support/differences.ts";
import type { Heard } from "./support/differences.ts";
import { bare } from "./support/fixture.ts";
import { sdkEndpoint } from "./support/sdk.ts";

const both = (parts: Partial<Parts>) => [serverOf(parts), serverOf({ ...parts, manifest: bare })] as const;
const ours = both({});
const theirs = both({ endpoint: sdkEndpoint });
/** A cut of the corpus: every n-th request. */
const EVERY = Number(process.env["CORPUS_EVERY"] ?? 1);

async function heard(server: Server, sample: Sample): Promise<Heard> {
  const { status, messages } = await ask(server, sample);
  return { status, messages: JSON.parse(JSON.stringify(messages).replaceAll(/\(ref [^)]*\)/g, "(ref REF)")) as Json[] };
}

const codes = ({ status, messages }: Heard) => ({ status, codes: messages.map((message) => (message as { error?: { code: number } }).error?.code), ids: messages.map((message) => (message as { id?: unknown }).id) });

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
    const [left, right] = [await heard(ours[which], sample), await heard(theirs[which], sample)];
    if (areAlike(sample, left, right)) continue;
    const intended = DIFFERENCES.find(({ is }) => is(sample, left, right));
    if (intended?.instead) assert.deepEqual(codes(left), codes(await heard(theirs[which], intended.instead(sample))), `${sample.name}: ${intended.id}`);
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
