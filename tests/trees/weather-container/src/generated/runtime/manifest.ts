// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The type of `../manifest.ts`: mcp.toml as data.
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
  /** The optional ones. */
  readonly optionalSecrets?: readonly string[];
  /** Full origins (`https://app.example`) or `*`; lower-case host names, `*.` for any subdomain. */
  readonly access: { readonly origins: readonly string[]; readonly hosts: readonly string[] };
  readonly limits: { readonly timeoutMs: number; readonly maxBodyBytes: number; readonly maxResultBytes: number; readonly maxInputElements: number };
  /** How long clients may keep lists and resources, and whether for all their users. */
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
  /** Scopes that a token needs besides those that every call needs. */
  readonly scopes?: readonly string[];
  readonly state?: StateOf;
}

/** Whose state a tool uses. */
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

/** A function of an object that never changes: called once per object, on first use. */
export function once<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    if (!made.has(key)) made.set(key, make(key));
    return made.get(key)!;
  };
}

const indexOf = once((entries: readonly { readonly name: string }[]) => new Map<unknown, unknown>(entries.map((entry) => [entry.name, entry])));

/** Finds an entry by its name, in the same time for any number of entries. */
export function byName<T extends { readonly name: string }>(entries: readonly T[], name: unknown): T | undefined {
  return indexOf(entries).get(name) as T | undefined;
}
