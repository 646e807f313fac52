// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The state of a local run: a SQLite file, named by MCP_LOCAL_STATE.
import { createTable, pageOf, readEntry, removeEntry, type Sql, sweep, writeEntry } from "./entries.ts";
import type { Store } from "./state.ts";
import { inTurn } from "./turns.ts";

let opened: { file: string; store: Store } | undefined;

export function openLocalStore(file: string): Store {
  if (opened?.file !== file) opened = { file, store: openFile(file) };
  return opened.store;
}

function openFile(file: string): Store {
  // Not imported at the top: in the cloud it would be loaded for nothing.
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const { mkdirSync } = process.getBuiltinModule("node:fs");
  const { dirname } = process.getBuiltinModule("node:path");
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file, { timeout: 10_000 });
  // Otherwise each write would wait for the disk and block other processes. On this machine a power cut may lose it.
  database.exec("PRAGMA synchronous = OFF");
  const sql: Sql = (statement, ...values) => database.prepare(statement).all(...values);
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
