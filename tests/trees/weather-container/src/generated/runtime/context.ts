// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// What handlers get, and their types. The generated `../mcp.ts` adds this server's own types.
import type {
  CallToolResult, ClientCapabilities, GetPromptResult, Id, InputRequests, InputRequiredResult, LoggingLevel, Meta, PromptMessage, Resource,
} from "./protocol.ts";

/**
 * The only error whose message the client sees. The server logs any other, and masks it as `internal error (ref …)`.
 */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** Who is calling, proven by credentials. */
export interface Caller {
  /**
   * For an API key the name from `mcp-deploy keys add`; for an access token its issuer and subject,
   * `https://issuer#subject`.
   */
  readonly id: string;
  /** What the token grants; empty for an API key. */
  readonly scopes: readonly string[];
}

/** What every handler gets besides its input. */
export interface Context<Env = Readonly<Record<string, string>>, Who = Caller | undefined> {
  /** Settings and secrets of mcp.toml, by name. Reading a required secret that is not set throws. */
  readonly env: Env;
  /** Aborts when the client has left or the time limit has passed. Pass it to `fetch`. */
  readonly signal: AbortSignal;
  readonly requestId: Id;
  /** Who is calling; `undefined` without `[access] auth` in mcp.toml. */
  readonly caller: Who;
  /** What a 2026-07-28 client said it can do; empty for older ones. */
  readonly clientCapabilities: ClientCapabilities;
  /**
   * Reports progress to a client that asked for it, and waits for a slow client. `progress` must grow with each call.
   */
  progress(progress: number, total?: number, message?: string): Promise<void>;
  /** Writes one JSON line to the platform's log. */
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void;
  /** @deprecated MCP's own logging, to the client; the protocol drops it after 2027-07. Use `log`. */
  clientLog(level: LoggingLevel, data: unknown): Promise<void>;
  /**
   * Asks the user (`elicitation/create`), the client's model (`sampling/createMessage`) or the client (`roots/list`):
   * `return ctx.ask({ name: { method: "elicitation/create", params } })`. The client answers by calling again. In that
   * call `requestState()` returns `state`, which is signed, not encrypted, and needs the secret MCP_STATE_KEY.
   */
  ask(requests: InputRequests, state?: unknown): Promise<InputRequiredResult>;
  /**
   * The answer to an earlier `ask`: a form's content, `null` if the user declined or cancelled, or the result of
   * sampling or roots. `undefined`: not asked yet. The input is unchecked.
   */
  accepted<T = unknown>(key: string): T | null | undefined;
  /** The `state` of the `ask` that this call answers, if its signature is valid. */
  requestState<T = unknown>(): T | undefined;
  /** Keeps the platform alive until the promise settles, also after the answer is sent. */
  waitUntil(promise: Promise<unknown>): void;
}

/** What a tool gets in addition. */
export interface ToolContext<Env = Readonly<Record<string, string>>, Who = Caller | undefined> extends Context<Env, Who> {
  /**
   * Adds a piece to the result's text. A client that asked for progress gets it at once; a slow one is waited for. All
   * pieces together are the result, unless the handler returns another. Returns whether the result still has room for
   * the piece: after `[limits] max_result` the rest belongs elsewhere. Throws when `signal` aborts.
   */
  emit(text: string): Promise<boolean>;
  /**
   * The pieces as a result. A tool with an output schema adds its value: `{ ...ctx.emitted(), structuredContent }`.
   * `rest` is the URI of a resource with what follows: `return ctx.emitted({ rest: "logs://app?offset=5000" })`.
   */
  emitted(options?: { rest?: string | undefined }): CallToolResult;
}

/**
 * Values that outlive the call: JSON of at most 384 KiB each, under keys of at most 512 bytes. The tool's `state` in
 * mcp.toml says whose values they are; tools with the same `state` share them.
 */
export interface State {
  get<T = unknown>(key: string): Promise<T | undefined>;
  /** Without a `ttl` the value stays until it is deleted. */
  set(key: string, value: unknown, options?: StateOptions): Promise<void>;
  /** Returns whether there was a value. */
  delete(key: string): Promise<boolean>;
  /** Values in the order of their keys. There may be more as long as there is a `cursor`. */
  list<T = unknown>(options?: { prefix?: string; limit?: number; cursor?: string }): Promise<{ entries: { key: string; value: T }[]; cursor?: string }>;
  /**
   * Replaces a value by what `next` returns for it, and returns that. No other update comes in between: if another
   * caller was faster, `next` is called again, so it must have no side effects. Without a `ttl` the value keeps its
   * own.
   */
  update<T>(key: string, next: (current: T | undefined) => T | Promise<T>, options?: StateOptions): Promise<T>;
}

export interface StateOptions {
  /** Seconds until the value expires. */
  ttl?: number;
}

export type Awaitable<T> = T | Promise<T>;

/** The server fills in `uri` and `mimeType` from the request and the manifest. */
export interface Contents {
  uri?: string | undefined;
  mimeType?: string | undefined;
  text?: string | undefined;
  /** base64 */
  blob?: string | undefined;
  _meta?: Meta | undefined;
}

/** What a resource's handler returns. `undefined`: there is no such resource. */
export type ReadReturn = string | readonly Contents[] | InputRequiredResult | undefined;
export type PromptReturn = string | readonly PromptMessage[] | GetPromptResult | InputRequiredResult;
/** A resource that a template lists. Its `name` is the template's by default. */
export type Listed = Pick<Resource, "uri"> & Partial<Resource>;

/** Suggests values for one argument, from what the user has typed and the other arguments so far. */
export type Complete<Env = Readonly<Record<string, string>>> = (
  typed: string, ctx: Pick<Context<Env>, "env" | "log"> & { arguments: Record<string, string> },
) => Awaitable<readonly string[]>;

// ---- handlers, as the server calls them ----

type Loaded<T> = () => Promise<{ readonly default: T }>;

/** By name. Each is imported when it is needed. */
export interface Handlers {
  readonly tools: Readonly<Record<string, Loaded<ToolHandler>>>;
  readonly resources: Readonly<Record<string, Loaded<ResourceHandler>>>;
  readonly prompts: Readonly<Record<string, Loaded<PromptHandler>>>;
}

// The compiler checks `../handlers.ts` by name. For the server a name is a string, and the schema describes the input.
export interface ToolHandler {
  run(input: never, ctx: never): unknown;
}

export interface ResourceHandler {
  read(variables: never, ctx: never): Awaitable<ReadReturn>;
  readonly complete?: Readonly<Record<string, Complete<never> | undefined>> | undefined;
  readonly list?: ((ctx: never) => Awaitable<readonly Listed[]>) | undefined;
}

export interface PromptHandler {
  get(args: never, ctx: never): Awaitable<PromptReturn>;
  readonly complete?: Readonly<Record<string, Complete<never> | undefined>> | undefined;
}
