// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The rate limit in a container: exact counters in the SQLite file, for all processes of one machine.
import type { Sql } from "./entries.ts";
import type { Counter, Counting } from "./rate-limit.ts";
import { ownFile } from "./sqlite.ts";

export function inSqlite(): Counting {
  return {
    counter: fileCounter,
    // The entry replaces any header of this name that a client sends.
    addressOf: (headers) => headers.get("x-real-ip"),
  };
}

let opened: Sql | undefined;

function open(): Sql {
  if (opened) return opened;
  const sql = ownFile();
  sql("CREATE TABLE IF NOT EXISTS counts (key TEXT NOT NULL, start INTEGER NOT NULL, until INTEGER NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (key, start))");
  opened = sql;
  return opened;
}

let current = 0;

const fileCounter: Counter = async (key, { start, end }, { calls }) => {
  const sql = open();
  if (start > current) {
    sql("DELETE FROM counts WHERE until <= ?", start);
    current = start;
  }
  const counted = "INSERT INTO counts (key, start, until, calls) VALUES (?, ?, ?, 1) ON CONFLICT (key, start) DO UPDATE SET calls = calls + 1 RETURNING calls";
  return (sql(counted, key, start, end)[0] as { calls: number }).calls <= calls;
};
