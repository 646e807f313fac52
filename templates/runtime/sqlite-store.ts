// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// State in a container: a SQLite file on a volume.
import { sweep } from "./entries.ts";
import { storeIn } from "./file-store.ts";
import { ownFile } from "./sqlite.ts";
import type { Store } from "./state.ts";

/** A process may run for months: expired entries leave the file now and then. */
const SWEEP_MS = 3_600_000;

let opened: Store | undefined;

export function sqliteStore(): Store {
  if (opened) return opened;
  const sql = ownFile();
  opened = storeIn(sql);
  setInterval(() => sweep(sql), SWEEP_MS).unref();
  return opened;
}
