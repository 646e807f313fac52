// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// One request from its start to its answer.
import type { Caller, Handlers, Log, State, ToolContext } from "./context.ts";
import type { Env } from "./env.ts";
import { once } from "./manifest.ts";
import type { Manifest, StateOf } from "./manifest.ts";
import { CAPABILITIES_KEY, LOG_LEVEL_KEY, SERVER_INFO_KEY } from "./protocol.ts";
import type { ClientCapabilities, Id, InputRequiredResult, Json, JsonRpcNotification, JsonRpcRequest, LoggingLevel, Meta } from "./protocol.ts";
import { isObject } from "./shapes.ts";

/** What a server's parts share. */
export interface Runtime {
  readonly manifest: Manifest;
  readonly handlers: Handlers;
  readonly env: Env;
  readonly log: Log;
  /** Adds `ctx.state`, if the server has it. */
  readonly withState?: ((ctx: ToolContext, of: StateOf, input: Json) => ToolContext & { readonly state: State }) | undefined;
  /** Remembers and logs that a handler could not be imported. */
  readonly isBroken: (broken: Broken) => void;
}

/** A handler that could not be imported: `tool get_weather`. */
export interface Broken {
  readonly what: string;
  readonly error: unknown;
}

/** What carries requests: one HTTP request, or a WebSocket. */
export interface Carrier {
  readonly signal: AbortSignal;
  readonly caller: Caller | undefined;
  /** Sends a message besides the result, and waits for a slow client. Never fails, even if the client has left. */
  notify(message: JsonRpcNotification): Promise<void>;
  waitUntil(promise: Promise<unknown>): void;
  /** The least severe `clientLog` for clients with a handshake; `undefined`: all. */
  readonly logLevel?: LoggingLevel | undefined;
  /** Asks a client with a handshake in the middle of a call; `undefined`: that is impossible. */
  readonly question?: Question | undefined;
}

/** Sends the questions of one round to the client, and returns its answers by their keys. */
export type Question = (asked: InputRequiredResult, signal: AbortSignal) => Promise<Json>;

export class Exchange {
  readonly carrier: Carrier;
  readonly isModern: boolean;
  readonly id: Id;
  readonly method: string;
  readonly params: Json;
  readonly meta: Json;

  constructor(carrier: Carrier, isModern: boolean, { id, method, params = {} }: JsonRpcRequest) {
    const meta = params["_meta"];
    this.carrier = carrier;
    this.isModern = isModern;
    this.id = id;
    this.method = method;
    this.params = params;
    this.meta = isObject(meta) ? meta : {};
  }

  /** What a 2026-07-28 client says it can do, in each request. */
  get capabilities(): ClientCapabilities {
    return (this.isModern ? (this.meta[CAPABILITIES_KEY] as ClientCapabilities | undefined) : undefined) ?? {};
  }

  /** The least severe message that the client wants: all, none, or from a level on. */
  get logLevel(): LoggingLevel | "all" | "none" {
    if (this.isModern) return (this.meta[LOG_LEVEL_KEY] as LoggingLevel | undefined) ?? "none";
    return this.carrier.logLevel ?? "all";
  }
}

/** A result as JSON: its members without the braces and without `_meta`, so that nothing is serialised twice. */
export interface Outcome {
  readonly members: string;
  readonly meta?: Meta | undefined;
  /** The handler asks the client a question. */
  readonly asks?: boolean;
}

/** An outcome of a value that is JSON. */
export function outcomeOf({ _meta: meta, ...members }: Json): Outcome {
  return { members: JSON.stringify(members).slice(1, -1), meta: isObject(meta) ? meta : undefined };
}

/** The whole message. `cache`: how long a client may keep a list or a resource. */
export function success(runtime: Runtime, { id, isModern }: Exchange, { members, meta, asks }: Outcome, cache: boolean): string {
  const parts = members === "" ? [] : [members];
  if (isModern) {
    const { ttlMs, scope } = runtime.manifest.cache;
    if (!asks) parts.push('"resultType":"complete"');
    if (cache && !asks) parts.push(`"ttlMs":${ttlMs},"cacheScope":"${scope}"`);
    parts.push(meta ? `"_meta":${JSON.stringify({ [SERVER_INFO_KEY]: serverInfo(runtime.manifest), ...meta })}` : stampOf(runtime.manifest));
  } else if (meta) {
    parts.push(`"_meta":${JSON.stringify(meta)}`);
  }
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{${parts.join(",")}}}`;
}

export function failed(id: Id | null, code: number, message: string, data?: unknown): string {
  const error = JSON.stringify({ code, message, ...(data !== undefined && { data }) });
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${wellFormed(error)}}`;
}

/** JSON with well-formed strings: strict clients refuse half of a surrogate pair, which `slice` may leave. */
export function wellFormed(json: string): string {
  return json.includes("\\ud") ? json.replace(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (escape) => (escape.length > 2 ? "\ufffd" : escape)) : json;
}

const stampOf = once((manifest: Manifest) => `"_meta":${JSON.stringify({ [SERVER_INFO_KEY]: serverInfo(manifest) })}`);

export function serverInfo({ server: { instructions: _, ...info } }: Manifest): Omit<Manifest["server"], "instructions"> {
  return info;
}
