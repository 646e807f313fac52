import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { callTool, clearState } from "../src/generated/testing.ts";

beforeEach(clearState);

const count = async (name: string, by?: number) => (await callTool("count", { name, ...(by !== undefined && { by }) })).value.value;

test("each counter counts by itself", async () => {
  assert.deepEqual([await count("tea"), await count("tea"), await count("coffee", 5), await count("tea", -2)], [1, 2, 5, 0]);
  const { value } = await callTool("list_counters", {});
  assert.deepEqual(value, { counters: [{ name: "coffee", value: 5 }, { name: "tea", value: 0 }] });
});

test("no call is lost when many come at once", async () => {
  await Promise.all(Array.from({ length: 50 }, () => count("tea")));
  assert.equal(await count("tea", 0), 50);
});

test("a long list comes in pages", async () => {
  for (let i = 0; i < 101; i++) await count(`c${String(i).padStart(3, "0")}`);
  const { value: first } = await callTool("list_counters", {});
  assert.equal(first.counters.length, 100);
  assert.ok(first.cursor);
  const { value: last } = await callTool("list_counters", { cursor: first.cursor });
  assert.deepEqual(last, { counters: [{ name: "c100", value: 1 }] });
});
