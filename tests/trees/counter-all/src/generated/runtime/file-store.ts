// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// A store in a SQLite file that this process has opened.
import { createTable, pageOf, readEntry, removeEntry, type Sql, sweep, writeEntry } from "./entries.ts";
import type { Store } from "./state.ts";
import { inTurn } from "./turns.ts";

export function storeIn(sql: Sql): Store {
  createTable(sql);
  sweep(sql);
  return {
    read: async (scope, key) => readEntry(sql, scope, key),
    write: async (scope, key, entry, over) => writeEntry(sql, scope, key, entry, over),
    remove: async (scope, key) => removeEntry(sql, scope, key),
    page: async (scope, prefix, after, limit) => pageOf(sql, scope, prefix, after, limit),
    inTurn,
  };
}
