// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// State on Vercel: strings in an Upstash Redis database, and an index of the keys of each scope. Scripts keep both in
// step.
import { openLocalStore } from "./local-store.ts";
import type { Entry, Page, Store } from "./state.ts";
import { inTurn } from "./turns.ts";
import { upstash } from "./upstash.ts";

/** `app`: the name of this server and stage, as others may use the same database. */
export function upstashStore(app: string): () => Store {
  const store = storeOf(app);
  return () => {
    const file = process.env["MCP_LOCAL_STATE"];
    return file ? openLocalStore(file) : store;
  };
}

/** KEYS: value, index, ends. ARGV: key, entry, over (`*`: any or none), milliseconds to live, end, past ends. */
const WRITE = `
if ARGV[3] ~= '*' and redis.call('GETRANGE', KEYS[1], 0, 35) ~= ARGV[3] then return 0 end
if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[6], 'LIMIT', 0, 8)) do
  redis.call('ZREM', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
return 1`;

/** KEYS: value, index, ends. ARGV: key. */
const REMOVE = `
local old = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return old`;

/** KEYS: values. Returns as many as fit in one answer, with an empty string for a missing one. */
const READ_MANY = `
local found, size = {}, 0
for i, key in ipairs(KEYS) do
  found[i] = redis.call('GET', key) or ''
  size = size + #found[i]
  if size > 524288 then break end
end
return found`;

function storeOf(app: string): Store {
  const base = (scope: string) => `mcp-deploy:${app}:state:${scope}`;
  const valueKey = (scope: string, key: string) => `${base(scope)}:value:${key}`;
  const indexKey = (scope: string) => `${base(scope)}:index`;
  const keysOf = (scope: string, key: string) => [valueKey(scope, key), indexKey(scope), `${base(scope)}:ends`];

  return {
    async read(scope, key) {
      return entryOf(await upstash<string | null>(["GET", valueKey(scope, key)]));
    },

    async write(scope, key, { json, version, until }, over) {
      const now = Date.now();
      const life = until === null ? "" : Math.max(1, until - now);
      // One minute more, in case the clock of Redis differs.
      const args = [key, `${version}${until ?? ""} ${json}`, over === undefined ? "*" : (over ?? ""), life, until ?? "", now - 60_000];
      return (await upstash<number>(["EVAL", WRITE, 3, ...keysOf(scope, key), ...args])) === 1;
    },

    async remove(scope, key) {
      return entryOf(await upstash<string | null>(["EVAL", REMOVE, 3, ...keysOf(scope, key), key]));
    },

    async page(scope, prefix, after, limit) {
      const from = after ? `(${after}` : prefix ? `[${prefix}` : "-";
      const listed = await upstash<string[]>(["ZRANGEBYLEX", indexKey(scope), from, "+", "LIMIT", 0, limit + 1]);
      const keys = listed.filter((key) => key.startsWith(prefix));
      const wanted = keys.slice(0, limit);
      if (wanted.length === 0) return { entries: [], more: false };
      const values = await upstash<string[]>(["EVAL", READ_MANY, wanted.length, ...wanted.map((key) => valueKey(scope, key))]);
      const entries: Page["entries"] = values.map((value, i) => ({ key: wanted[i] ?? "", ...(entryOf(value) ?? GONE) }));
      return { entries, more: keys.length > values.length };
    },

    inTurn,
  };
}

/** Expired, but still in the index. */
const GONE: Entry = { json: "null", version: "", until: 0 };

/** A version of 36 characters, the end if there is one, a space, and the JSON. */
function entryOf(value: string | null): Entry | undefined {
  if (!value) return undefined;
  const space = value.indexOf(" ");
  const until = value.slice(36, space);
  return { version: value.slice(0, 36), until: until ? Number(until) : null, json: value.slice(space + 1) };
}
