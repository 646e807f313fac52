// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The state of a local run: a SQLite file, named by MCP_LOCAL_STATE.
import { storeIn } from "./file-store.ts";
import { openFile } from "./sqlite.ts";
import type { Store } from "./state.ts";

// Otherwise each write would wait for the disk and block other processes. On this machine a power cut may lose it.
const SETTINGS = ["PRAGMA synchronous = OFF"];

let opened: { file: string; store: Store } | undefined;

export function openLocalStore(file: string): Store {
  if (opened?.file !== file) opened = { file, store: storeIn(openFile(file, SETTINGS)) };
  return opened.store;
}
