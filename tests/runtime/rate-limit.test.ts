import assert from "node:assert/strict";
import { test } from "node:test";
import { network, rateLimit } from "../../templates/runtime/rate-limit.ts";
import type { Counter, RateLimit } from "../../templates/runtime/rate-limit.ts";
import type { Caller } from "../../templates/runtime/context.ts";
import type { Core } from "../../templates/runtime/server.ts";

const LIMIT: RateLimit = { calls: 3, window: 60, open: false };

function counting(): { counter: Counter; asked: string[] } {
  const counts = new Map<string, number>();
  const asked: string[] = [];
  return {
    asked,
    counter: async (key, { start }, { calls }) => {
      asked.push(key);
      const at = `${start} ${key}`;
      counts.set(at, (counts.get(at) ?? 0) + 1);
      return counts.get(at)! <= calls;
    },
  };
}

function limiterOf(counter: Counter, limit: Partial<RateLimit> = {}, variables: Core["variables"] = {}) {
  const log: string[] = [];
  const core = { log: (level: string, message: string) => log.push(`${level} ${message}`), variables } as unknown as Core;
  const limiter = rateLimit({ ...LIMIT, ...limit }, { counter, addressOf: (headers) => headers.get("x-address") });
  const call = async (address: string, caller?: Caller, headers: Record<string, string> = {}) => {
    const fields = new Map(Object.entries({ "x-address": address, ...headers }));
    return (await limiter({ headers: fields }, caller, core))?.status ?? 200;
  };
  return { call, log };
}

const times = async (count: number, call: () => Promise<number>) => (await Promise.all(Array.from({ length: count }, call))).toSorted((a, b) => a - b);

test("each caller, or else each address, has its own calls, and a flood costs the counter nothing", async () => {
  const { counter, asked } = counting();
  const { call, log } = limiterOf(counter);
  assert.deepEqual(await times(5, () => call("1.1.1.1")), [200, 200, 200, 429, 429]);
  assert.equal(asked.length, 3);
  assert.deepEqual(await times(50, () => call("1.1.1.1")), Array(50).fill(429));
  assert.equal(asked.length, 3);
  assert.equal(await call("1.1.1.2"), 200);
  const ann = { id: "ann", scopes: [] };
  assert.deepEqual(await times(4, () => call("1.1.1.1", ann)), [200, 200, 200, 429]);
  assert.equal(await call("9.9.9.9", ann), 429);
  assert.ok(asked.every((key) => /^[0-9a-f]{64}$/.test(key)), "the counter learns of nobody");
  assert.equal(log.filter((line) => line === "warn the rate limit is reached").length, 2);
});

test("a window ends", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  const { call } = limiterOf(counting().counter);
  assert.deepEqual(await times(4, () => call("1.1.1.1")), [200, 200, 200, 429]);
  t.mock.timers.tick(60_000);
  assert.equal(await call("1.1.1.1"), 200);
});

test("a counter that fails lets all in or nobody, and is left alone for a while", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  for (const open of [true, false]) {
    let asked = 0;
    let fails = true;
    const { call, log } = limiterOf(async () => {
      asked += 1;
      if (fails) throw new Error("gone");
      return true;
    }, { open });
    for (let turn = 0; turn < 10; turn++) assert.equal(await call("1.1.1.1"), open ? 200 : 503);
    assert.equal(asked, 1);
    assert.deepEqual(log, ["error the calls cannot be counted"]);
    t.mock.timers.tick(5_000);
    fails = false;
    assert.equal(await call("1.1.1.1"), 200);
  }
});

test("an address of IPv6 is its /64", () => {
  const alike = [["2001:db8:1:2::1", "2001:db8:1:2:ffff::"], ["::ffff:1.2.3.4", "1.2.3.4"], ["2001:db8::1:0:0:0:1", "2001:db8::1:2:3:4:5"], ["::1", "::2"]] as const;
  for (const [left, right] of alike) assert.equal(network(left), network(right), left);
  const others = [["2001:db8:1:2::1", "2001:db8:1:3::1"], ["1.2.3.4", "1.2.3.5"], ["::1", "2001::1"]] as const;
  for (const [left, right] of others) assert.notEqual(network(left), network(right), left);
});

test("a budget of a local run needs the secret of that run", async () => {
  const secret = "s".repeat(32);
  const { call } = limiterOf(counting().counter, {}, { MCP_LOCAL_RATE_LIMIT: secret });
  assert.deepEqual(await times(4, () => call("1.1.1.1")), [200, 200, 200, 429]);
  assert.equal(await call("1.1.1.1", undefined, { "x-mcp-local-budget": `${secret}.two` }), 200);
  assert.equal(await call("1.1.1.1", undefined, { "x-mcp-local-budget": `${"t".repeat(32)}.two` }), 429);
  const deployed = limiterOf(counting().counter);
  assert.deepEqual(await times(4, () => deployed.call("1.1.1.1", undefined, { "x-mcp-local-budget": `undefined.${Math.random()}` })), [200, 200, 200, 429]);
});
