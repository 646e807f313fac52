// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// `ctx.state` in memory, for tests: every test file runs in a separate process.
import type { Entry, Store } from "./state.ts";

/** A store, and a function that clears it. */
export function memoryStore(): Store & { clear(): void } {
  const scopes = new Map<string, Map<string, Entry>>();
  const entriesOf = (scope: string) => {
    const entries = scopes.get(scope) ?? new Map<string, Entry>();
    scopes.set(scope, entries);
    return entries;
  };
  return {
    clear: () => scopes.clear(),
    read: async (scope, key) => entriesOf(scope).get(key),
    async write(scope, key, entry, over) {
      const entries = entriesOf(scope);
      if (over !== undefined && over !== (entries.get(key)?.version ?? null)) return false;
      entries.set(key, entry);
      return true;
    },
    async remove(scope, key) {
      const entry = entriesOf(scope).get(key);
      entriesOf(scope).delete(key);
      return entry;
    },
    async page(scope, prefix, after, limit) {
      const found = [...entriesOf(scope)].filter(([key]) => key.startsWith(prefix) && compare(key, after) > 0).sort(([a], [b]) => compare(a, b));
      return { entries: found.slice(0, limit).map(([key, entry]) => ({ key, ...entry })), more: found.length > limit };
    },
    inTurn: (_scope, _key, _signal, work) => work(),
  };
}

/** By their UTF-8 bytes. */
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
