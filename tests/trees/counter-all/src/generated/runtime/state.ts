// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// `ctx.state`: the same on every cloud, over the cloud's own store.
import { ToolError } from "./context.ts";
import type { State, StateOptions, ToolContext } from "./context.ts";
import type { StateOf } from "./manifest.ts";
import type { Json } from "./protocol.ts";

/** An entry in a cloud's store. The store may keep expired entries: readers look at `until`. */
export interface Entry {
  readonly json: string;
  /** Changes with every write. */
  readonly version: string;
  /** Milliseconds since 1970; `null`: it never expires. */
  readonly until: number | null;
}

export interface Page {
  readonly entries: readonly (Entry & { readonly key: string })[];
  readonly more: boolean;
}

/** Entries by scope and key. */
export interface Store {
  read(scope: string, key: string): Promise<Entry | undefined>;
  /** `over`: only if the entry has this version; `null`: only if there is no entry. Returns whether it was written. */
  write(scope: string, key: string, entry: Entry, over?: string | null): Promise<boolean>;
  /** Returns the removed entry. */
  remove(scope: string, key: string): Promise<Entry | undefined>;
  /**
   * Keys with the prefix and after `after`, in the order of their UTF-8 bytes: at most `limit`, fewer if they are
   * large.
   */
  page(scope: string, prefix: string, after: string, limit: number): Promise<Page>;
  /** Lets callers that want the same entry work one after the other, as far as they can wait. A turn may end early. */
  inTurn<T>(scope: string, key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** `ctx.state` over a store; `open` fails if there is no store. */
export function withState(open: () => Store): (ctx: ToolContext, of: StateOf, input: Json) => ToolContext & { readonly state: State } {
  return (ctx, of, input) => ({ ...ctx, state: createState(open(), scopeOf(of, ctx.caller?.id ?? null, input), ctx.signal) });
}

// The limits are the same on every cloud, so that a handler works on all of them. DynamoDB's are the narrowest.
const MAX_SCOPE = 1024;
const MAX_KEY = 512;
const MAX_VALUE = 384 * 1024;
const MAX_LIST = 1000;

/** A handle belongs to the caller who made it: for another caller it names something else. */
function scopeOf(of: StateOf, caller: string | null, input: Record<string, unknown>): string {
  if (of === "shared") return JSON.stringify(["shared"]);
  if (of === "caller") return JSON.stringify(["caller", caller]);
  const scope = JSON.stringify(["handle", caller, input[of.handle]]);
  if (bytes(scope) > MAX_SCOPE) throw new ToolError(`${of.handle} is too long`);
  return scope;
}

function createState(store: Store, scope: string, signal: AbortSignal): State {
  return {
    async get<T>(key: string) {
      const entry = current(await store.read(scope, checked(key)));
      return entry && (JSON.parse(entry.json) as T);
    },
    async set(key, value, options) {
      await store.write(scope, checked(key), entryOf(key, value, untilOf(options) ?? null));
    },
    async delete(key) {
      return current(await store.remove(scope, checked(key))) !== undefined;
    },
    async list<T>({ prefix = "", limit = 100, cursor = "" } = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIST) throw new RangeError(`the limit of a list must be from 1 to ${MAX_LIST}`);
      if (cursor && !cursor.startsWith(prefix)) throw new Error("the cursor is not of this list");
      const { entries, more } = await store.page(scope, prefix, cursor, limit);
      const live = entries.filter(current).map(({ key, json }) => ({ key, value: JSON.parse(json) as T }));
      const last = entries.at(-1)?.key;
      return { entries: live, ...(more && last !== undefined && { cursor: last }) };
    },
    async update<T>(key: string, next: (current: T | undefined) => T | Promise<T>, options?: StateOptions) {
      const attempt = attempts(store, scope, checked(key), next, options);
      // Usually no other caller is there. In line, only callers that cannot wait for each other can collide.
      let done = await attempt();
      return done ? done.value : store.inTurn(scope, key, signal, async () => {
        for (let longest = 10; ; longest = Math.min(500, longest * 2)) {
          signal.throwIfAborted();
          done = await attempt();
          if (done) return done.value;
          await new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
        }
      });
    },
  };
}

/** Writes only over what it has read: `undefined` if another caller was faster. */
function attempts<T>(store: Store, scope: string, key: string, next: (current: T | undefined) => T | Promise<T>, options: StateOptions | undefined) {
  let written: { version: string; value: T } | undefined;
  return async (): Promise<{ value: T } | undefined> => {
    const found = await store.read(scope, key);
    // The previous write succeeded, and only its answer was lost.
    if (written && found?.version === written.version) return written;
    const before = current(found);
    const value = await next(before && (JSON.parse(before.json) as T));
    const entry = entryOf(key, value, untilOf(options) ?? before?.until ?? null);
    written = { version: entry.version, value };
    return (await store.write(scope, key, entry, found?.version ?? null)) ? written : undefined;
  };
}

function current<E extends Entry>(entry: E | undefined): E | undefined {
  return entry && (entry.until === null || entry.until > Date.now()) ? entry : undefined;
}

function untilOf(options: StateOptions | undefined): number | undefined {
  if (options?.ttl === undefined) return undefined;
  if (!(options.ttl > 0 && Number.isFinite(options.ttl))) throw new RangeError("a ttl must be a number of seconds above 0");
  return Math.ceil(Date.now() + options.ttl * 1000);
}

function entryOf(key: string, value: unknown, until: number | null): Entry {
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`the state's value of ${JSON.stringify(key)} is not JSON`);
  const size = bytes(json);
  if (size > MAX_VALUE) throw new RangeError(`the state's value of ${JSON.stringify(key)} has ${size} bytes; at most ${MAX_VALUE} are allowed`);
  return { json, version: crypto.randomUUID(), until };
}

function checked(key: string): string {
  if (key === "" || !key.isWellFormed() || bytes(key) > MAX_KEY) throw new RangeError(`a key of the state must be a string of 1 to ${MAX_KEY} bytes`);
  return key;
}

const bytes = (text: string) => new TextEncoder().encode(text).length;
