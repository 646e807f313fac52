// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// State on Cloudflare: each scope has a Durable Object with a SQLite database.
/// <reference path="./workers.d.ts" />
import { DurableObject, exports } from "cloudflare:workers";
import { createTable, pageOf, readEntry, removeEntry, type Sql, sweep, writeEntry } from "./entries.ts";
import type { Entry, Page, Store } from "./state.ts";

/** The object has the scope's name; in its database the scope is empty. */
export function durableObjectStore(): Store {
  return {
    read: (scope, key) => objectOf(scope).read(key),
    write: (scope, key, entry, over) => objectOf(scope).write(key, entry, over),
    remove: (scope, key) => objectOf(scope).remove(key),
    page: (scope, prefix, after, limit) => objectOf(scope).page(prefix, after, limit),
    async inTurn(scope, key, _signal, work) {
      const object = objectOf(scope);
      const turn = await object.takeTurn(key);
      try {
        return await work();
      } finally {
        await object.endTurn(turn).catch(() => {}); // it ends by itself, soon
      }
    },
  };
}

/** An object's methods from outside: each call goes to where the object lives. */
type Remote<T> = { [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never };
const objectOf = (scope: string) => exports.ToolState.getByName(scope) as Remote<ToolState>;

/** A caller that works for longer, or never returns, does not hold up the others. */
const TURN_MS = 3000;
/** Expired entries are deleted together, at most this much later. */
const SWEEP_MS = 60_000;

export class ToolState extends DurableObject {
  readonly #sql: Sql = (statement, ...values) => this.ctx.storage.sql.exec(statement, ...values).toArray();
  /** Without a table nothing is stored: reading an unused object costs nothing. */
  #exists = this.#sql("SELECT 1 FROM sqlite_master WHERE name = 'entries'").length > 0;

  read(key: string): Entry | undefined {
    return this.#exists ? readEntry(this.#sql, "", key) : undefined;
  }

  async write(key: string, entry: Entry, over?: string | null): Promise<boolean> {
    if (!this.#exists) {
      if (over) return false;
      createTable(this.#sql);
      this.#exists = true;
    }
    const written = writeEntry(this.#sql, "", key, entry, over);
    if (written && entry.until !== null) await this.#sweepAt(entry.until);
    return written;
  }

  async remove(key: string): Promise<Entry | undefined> {
    if (!this.#exists) return undefined;
    const removed = removeEntry(this.#sql, "", key);
    if (removed) await this.#sweepAt(Date.now());
    return removed;
  }

  page(prefix: string, after: string, limit: number): Page {
    return this.#exists ? pageOf(this.#sql, "", prefix, after, limit) : { entries: [], more: false };
  }

  readonly #lastInLine = new Map<string, Promise<void>>();
  readonly #turns = new Map<string, () => void>();

  /** Waits until all earlier callers have ended their turn with this key. */
  async takeTurn(key: string): Promise<string> {
    const before = this.#lastInLine.get(key);
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#lastInLine.set(key, over);
    await before;
    const turn = crypto.randomUUID();
    const timer = setTimeout(() => this.endTurn(turn), TURN_MS);
    this.#turns.set(turn, () => {
      clearTimeout(timer);
      if (this.#lastInLine.get(key) === over) this.#lastInLine.delete(key);
      resolve();
    });
    return turn;
  }

  endTurn(turn: string): void {
    this.#turns.get(turn)?.();
    this.#turns.delete(turn);
  }

  /** An object without entries gives back all its storage. */
  async alarm(): Promise<void> {
    if (!this.#exists) return;
    const { left, next } = sweep(this.#sql);
    if (left === 0) {
      this.#exists = false;
      await this.ctx.storage.deleteAll();
    } else if (next !== null) {
      await this.#sweepAt(next);
    }
  }

  async #sweepAt(time: number): Promise<void> {
    const planned = await this.ctx.storage.getAlarm();
    const at = time + SWEEP_MS;
    if (planned === null || planned > at) await this.ctx.storage.setAlarm(at);
  }
}
