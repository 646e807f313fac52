// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Entries in SQLite: in a Durable Object, and in the file of a local run.
import type { Entry, Page } from "./state.ts";

/** Runs one statement and returns its rows. */
export type Sql = (statement: string, ...values: (string | number | null)[]) => Record<string, unknown>[];

/** Reads all rows at once. */
const MAX_PAGE_BYTES = 512 * 1024;

export function createTable(sql: Sql): void {
  sql(`CREATE TABLE IF NOT EXISTS entries (
    scope TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, version TEXT NOT NULL, until INTEGER, PRIMARY KEY (scope, key)
  )`);
}

export function readEntry(sql: Sql, scope: string, key: string): Entry | undefined {
  return sql("SELECT json, version, until FROM entries WHERE scope = ? AND key = ?", scope, key)[0] as Entry | undefined;
}

export function writeEntry(sql: Sql, scope: string, key: string, { json, version, until }: Entry, over?: string | null): boolean {
  if (over) {
    const statement = "UPDATE entries SET json = ?, version = ?, until = ? WHERE scope = ? AND key = ? AND version = ? RETURNING 1";
    return sql(statement, json, version, until, scope, key, over).length > 0;
  }
  const conflict = over === null ? "NOTHING" : "UPDATE SET json = excluded.json, version = excluded.version, until = excluded.until";
  const statement = `INSERT INTO entries (scope, key, json, version, until) VALUES (?, ?, ?, ?, ?) ON CONFLICT (scope, key) DO ${conflict} RETURNING 1`;
  return sql(statement, scope, key, json, version, until).length > 0;
}

export function removeEntry(sql: Sql, scope: string, key: string): Entry | undefined {
  return sql("DELETE FROM entries WHERE scope = ? AND key = ? RETURNING json, version, until", scope, key)[0] as Entry | undefined;
}

export function pageOf(sql: Sql, scope: string, prefix: string, after: string, limit: number): Page {
  const entries: Page["entries"][number][] = [];
  let [from, size] = [after, 0];
  // One row at a time: a driver returns all that it finds, which may not fit in memory.
  for (;;) {
    const statement = "SELECT key, json, version, until FROM entries WHERE scope = ? AND key > ? AND key >= ? ORDER BY key LIMIT 1";
    const row = sql(statement, scope, from, prefix)[0] as Page["entries"][number] | undefined;
    if (!row?.key.startsWith(prefix)) return { entries, more: false };
    if (entries.length === limit || size > MAX_PAGE_BYTES) return { entries, more: true };
    entries.push(row);
    [from, size] = [row.key, size + row.json.length];
  }
}

/** Deletes expired entries, and returns how many are left and when the next one expires. */
export function sweep(sql: Sql): { left: number; next: number | null } {
  sql("DELETE FROM entries WHERE until <= ?", Date.now());
  return sql("SELECT count(*) AS left, min(until) AS next FROM entries")[0] as { left: number; next: number | null };
}
