// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// What `../manifest.ts` holds: mcp.toml as data.
import type { Annotations, Icon, Implementation, Json, Meta, ToolAnnotations } from "./protocol.ts";

export interface Manifest {
  readonly server: Implementation & { instructions?: string };
  readonly tools: readonly ToolEntry[];
  readonly resources: readonly ResourceEntry[];
  readonly prompts: readonly PromptEntry[];
  /** Settings and their defaults. */
  readonly env: Readonly<Record<string, string>>;
  /** Names only. */
  readonly secrets: readonly string[];
  /** Those of them that handlers do without. */
  readonly optionalSecrets?: readonly string[];
  /** Origins in full (`https://app.example`) or `*`; host names in lower case, `*.` for any subdomain. */
  readonly access: { readonly origins: readonly string[]; readonly hosts: readonly string[] };
  readonly limits: { readonly timeoutMs: number; readonly maxBodyBytes: number; readonly maxResultBytes: number; readonly maxInputElements: number };
  /** How long clients may keep lists and resources, and whether for all of their users. */
  readonly cache: { readonly ttlMs: number; readonly scope: "public" | "private" };
}

interface Described {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly icons?: Icon[];
  readonly _meta?: Meta;
}

export interface ToolEntry extends Described {
  readonly inputSchema: Json;
  readonly outputSchema?: Json;
  readonly annotations?: ToolAnnotations;
  readonly timeoutMs: number;
  /** What a caller's token must grant beside what every call needs. */
  readonly scopes?: readonly string[];
  readonly state?: StateOf;
}

/** Whose state a tool sees. */
export type StateOf = "caller" | "shared" | { readonly handle: string };

export interface ResourceEntry extends Described {
  readonly uri?: string;
  readonly uriTemplate?: string;
  readonly mimeType?: string;
  readonly annotations?: Annotations;
}

export interface PromptEntry extends Described {
  readonly argsSchema?: Json;
}

/** A function of an object that does not change: it is called once for each, on first use. */
export function once<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    if (!made.has(key)) made.set(key, make(key));
    return made.get(key)!;
  };
}

const indexOf = once((entries: readonly { readonly name: string }[]) => new Map<unknown, unknown>(entries.map((entry) => [entry.name, entry])));

/** An entry by its name, in the same time for any number of them. */
export function byName<T extends { readonly name: string }>(entries: readonly T[], name: unknown): T | undefined {
  return indexOf(entries).get(name) as T | undefined;
}
