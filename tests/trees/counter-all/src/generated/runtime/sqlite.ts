// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// SQLite files. Several processes of one machine may share one.
import type { Sql } from "./entries.ts";

/** `settings`: statements for each new connection. */
export function openFile(file: string, settings: readonly string[]): Sql {
  // Not imported at the top: in the cloud it would be loaded for nothing.
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const { mkdirSync } = process.getBuiltinModule("node:fs");
  const { dirname } = process.getBuiltinModule("node:path");
  mkdirSync(dirname(file), { recursive: true });
  // The milliseconds that a statement waits for another process.
  const database = new DatabaseSync(file, { timeout: 10_000 });
  for (const setting of settings) patiently(() => database.exec(setting));
  return (statement, ...values) => database.prepare(statement).all(...values);
}

/** SQLite waits for no other process when it changes to a write-ahead log. */
function patiently(run: () => void): void {
  for (const end = Date.now() + 10_000; ; ) {
    try {
      return run();
    } catch (error) {
      const SQLITE_BUSY = 5;
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || Date.now() > end) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Readers and a writer do not block each other; a power cut may lose the last writes, and breaks nothing. */
const SETTINGS = ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"];

let own: Sql | undefined;

/** The file of this server, which MCP_STATE_FILE names: state and counts. */
export function ownFile(): Sql {
  const file = process.env["MCP_STATE_FILE"] || process.env["MCP_LOCAL_STATE"];
  if (!file) throw new Error("there is no store: set MCP_STATE_FILE to the path of a file on a volume");
  own ??= openFile(file, SETTINGS);
  return own;
}
