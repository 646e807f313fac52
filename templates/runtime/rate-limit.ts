// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// How many calls one caller may make in a window of time. The platform counts them.
import type { Answer, Fields } from "./http.ts";
import { refusal } from "./http.ts";
import { REFUSED } from "./protocol.ts";
import type { Limiter } from "./server.ts";
import type { Variables } from "./env.ts";

export interface RateLimit {
  readonly calls: number;
  /** Seconds. */
  readonly window: number;
  /** Whether calls are let in while the counter fails (`rate_limit_failure = "open"`). */
  readonly open: boolean;
}

/** From one multiple of its length to the next, so that all instances agree on it. Seconds since 1970. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

/** Counts one more call, and returns whether it is within the limit. Fails if the counter does not work. */
export type Counter = (key: string, window: Window, limit: RateLimit) => Promise<boolean>;

/** Where calls are counted. */
export interface Counting {
  readonly counter: Counter;
  /** The client's address as the platform knows it, not as the client claims it. */
  readonly addressOf: (headers: Fields) => string | null | undefined;
}

/** A counter over the network that takes longer has failed. A small function's first connection takes some time. */
export const PATIENCE_MS = 4_000;

/** How long the server does not ask a counter that failed, whatever the number of calls. */
const PAUSE_S = 5;
/** Callers whose calls a process remembers. Bounded, because there may be too many for the memory. */
const MOST_KNOWN = 10_000;

/** By caller; by address if callers are anonymous. */
export function rateLimit(limit: RateLimit, { counter, addressOf }: Counting): Limiter {
  const { calls, window: length, open } = limit;
  // For this window: the calls that went through here, or Infinity once the counter has refused one. Further calls need
  // no question to the counter, so that a flood costs nothing there.
  const seen = new Map<string, number>();
  const told = new Set<string>();
  let current = 0;
  let retryAt = 0;
  const uncounted = () => (open ? undefined : refuse(503, "calls cannot be counted at the moment", PAUSE_S));
  return async ({ headers }, caller, { log, variables }) => {
    const start = Math.floor(Date.now() / 1000 / length) * length;
    const window = { start, end: start + length };
    // Hashed: it is short, and the counter learns nothing about the caller.
    const whose = caller ? `caller ${caller.id}` : `address ${network(addressOf(headers) ?? "")}`;
    const key = await sha256(localBudget(headers, variables) ?? whose);
    if (start > current) {
      seen.clear();
      told.clear();
      current = start;
    }
    const add = (number: number) => {
      if (start === current && (seen.has(key) || seen.size < MOST_KNOWN)) seen.set(key, (seen.get(key) ?? 0) + number);
    };
    if ((seen.get(key) ?? 0) < calls) {
      if (Date.now() / 1000 < retryAt) return uncounted();
      // Before the answer is known: of simultaneous calls the counter sees no more than the limit allows.
      add(1);
      try {
        if (await counter(key, window, limit)) return undefined;
        add(Infinity);
      } catch (error) {
        add(-1);
        const now = Date.now() / 1000;
        if (now >= retryAt) log("error", "the calls cannot be counted", { error });
        retryAt = now + PAUSE_S;
        return uncounted();
      }
    }
    if (!told.has(key) && told.size < MOST_KNOWN) {
      told.add(key);
      log("warn", "the rate limit is reached", caller && { caller: caller.id });
    }
    return refuse(429, `at most ${calls} calls in ${length} s`, Math.max(1, Math.ceil(window.end - Date.now() / 1000)));
  };
}

const refuse = (status: number, message: string, seconds: number): Answer => refusal(status, REFUSED, message, { "retry-after": `${seconds}` });

async function sha256(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What one subscriber has: an address of IPv4; a whole /64 of IPv6, whose addresses are interchangeable. */
export function network(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [head = "", tail] = address.split("::");
  const before = head.split(":");
  const after = tail?.split(":") ?? [];
  // `::` stands for the missing zeros.
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  return [...before, ...(tail === undefined ? [] : zeros), ...after].slice(0, 4).join(":");
}

/**
 * `mcp-deploy` tests a build on the developer's machine with more calls than a small limit allows. It gets further
 * budgets there, each counted like any other. They are useless in a cloud: the variable is set only for the local
 * process, mcp.toml cannot declare it, and it holds a secret of that one run.
 */
function localBudget(headers: Fields, variables: Variables): string | undefined {
  const [secret, budget] = headers.get("x-mcp-local-budget")?.split(".") ?? [];
  const known = variables["MCP_LOCAL_RATE_LIMIT"];
  return typeof known === "string" && known.length >= 32 && secret === known ? `local ${budget}` : undefined;
}

/** This machine has one process, which sees all calls itself. */
export const countedOnce = (variables: Variables, counter: Counter): Counter => (variables["MCP_LOCAL_RATE_LIMIT"] ? async () => true : counter);
