// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Files beside the code: Workers import them as modules, Node.js reads them from the disk. A bundle for Node.js
// contains the files themselves, and none of this code.

/** Imports a module of the Worker. */
export type Load<T> = () => Promise<{ readonly default: T }>;

/** This platform has no disk and never compiles WebAssembly from bytes. */
export const isWorker = globalThis.navigator?.userAgent === "Cloudflare-Workers";

export async function bytesOf(path: string, base: string, load: Load<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(isWorker ? (await load()).default : read(path, base));
}

/** A byte order mark at the beginning is not part of the text, on any platform. */
export async function textOf(path: string, base: string, load: Load<ArrayBuffer>): Promise<string> {
  return new TextDecoder().decode(await bytesOf(path, base, load));
}

/** The content of a file on the disk. */
export function read(path: string, base: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(process.getBuiltinModule("node:fs").readFileSync(new URL(path, base)));
}
