// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The rate limit on Vercel: exact counters in Upstash Redis, whatever the number of instances.
import type { Variables } from "./env.ts";
import { countedOnce, PATIENCE_MS } from "./rate-limit.ts";
import type { Counter, Counting } from "./rate-limit.ts";
import { upstash } from "./upstash.ts";

/** A database may serve several servers: `app` is the name of this one. */
export function inUpstash(app: string, variables: Variables): Counting {
  return {
    counter: countedOnce(variables, redisCounter(app)),
    // The platform replaces any header of this name that a client sends.
    addressOf: (headers) => headers.get("x-real-ip"),
  };
}

/** One step. A counter expires with its window. */
const COUNT = "local calls = redis.call('INCR', KEYS[1]) if calls == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return calls";

const redisCounter = (app: string): Counter => async (key, { start }, { calls, window }) => {
  const name = `mcp:${app}:rate:${key}:${start}`;
  return (await upstash<number>(["EVAL", COUNT, 1, name, window], AbortSignal.timeout(PATIENCE_MS))) <= calls;
};
