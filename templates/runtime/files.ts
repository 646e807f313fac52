// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Files beside the code: Workers import them as modules, Node.js reads them from the disk. In a bundle for Node.js stands what they
// hold, and none of this.

/** Imports a module of the Worker. */
export type Load<T> = () => Promise<{ readonly default: T }>;

/** The platform with no disk, where WebAssembly is never compiled from bytes. */
export const isWorker = globalThis.navigator?.userAgent === "Cloudflare-Workers";

export async function bytesOf(path: string, base: string, load: Load<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(isWorker ? (await load()).default : read(path, base));
}

/** A mark at the beginning that tells the order of bytes is no part of the text, on any platform. */
export async function textOf(path: string, base: string, load: Load<ArrayBuffer>): Promise<string> {
  return new TextDecoder().decode(await bytesOf(path, base, load));
}

/** What a file of the disk holds. */
export function read(path: string, base: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(process.getBuiltinModule("node:fs").readFileSync(new URL(path, base)));
}
