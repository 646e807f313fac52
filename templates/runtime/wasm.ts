/// <reference path="./wasm.d.ts" />
// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// WebAssembly beside the code.
import { isWorker, read } from "./files.ts";
import type { Load } from "./files.ts";

export async function moduleOf(path: string, base: string, load: Load<WebAssembly.Module>): Promise<WebAssembly.Module> {
  return isWorker ? (await load()).default : new WebAssembly.Module(read(path, base));
}
