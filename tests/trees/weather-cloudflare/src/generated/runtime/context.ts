// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// What handlers are given, and what they are. The generated `../mcp.ts` adds this server's own types to it.
import type {
  CallToolResult, ClientCapabilities, GetPromptResult, Id, InputRequests, InputRequiredResult, LoggingLevel, Meta, PromptMessage, Resource,
} from "./protocol.ts";

/** The one error whose message the client sees. Any other is logged, and masked as `internal error (ref …)`. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** Who is calling, proven by its credentials. */
export interface Caller {
  /** The name that `mcp-deploy keys add` gave an API key; of an access token its issuer and subject, `https://issuer#subject`. */
  readonly id: string;
  /** What the token grants; empty for an API key. */
  readonly scopes: readonly string[];
}

/** What every handler is given beside its input. */
export interface Context<Env = Readonly<Record<string, string>>, Who = Caller | undefined> {
  /** Settings and secrets of mcp.toml, by name. Reading a secret that is not set throws, unless it is optional. */
  readonly env: Env;
  /** Aborts when the client is gone or the time limit has passed. Hand it to `fetch`. */
  readonly signal: AbortSignal;
  readonly requestId: Id;
  /** Who is calling; `undefined` where mcp.toml has no `[access] auth`. */
  readonly caller: Who;
  /** What a 2026-07-28 client said it can do; empty for older ones. */
  readonly clientCapabilities: ClientCapabilities;
  /** Tells a client that asked for it how far the work is, and waits for one that is slower. `progress` grows from call to call. */
  progress(progress: number, total?: number, message?: string): Promise<void>;
  /** Writes one JSON line to the platform's log. */
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void;
  /** @deprecated MCP's own logging, to the client; it leaves the protocol after 2027-07. Use `log`. */
  clientLog(level: LoggingLevel, data: unknown): Promise<void>;
  /**
   * Asks the user (`elicitation/create`), the client's model (`sampling/createMessage`) or the client (`roots/list`):
   * `return ctx.ask({ name: { method: "elicitation/create", params } })`. The client answers by calling again.
   * `state` comes back in that call through `requestState()`; it is signed, not encrypted, and needs the secret MCP_STATE_KEY.
   */
  ask(requests: InputRequests, state?: unknown): Promise<InputRequiredResult>;
  /**
   * The answer to an earlier `ask`: a form's content, `null` if the user declined or cancelled; or the sampling or roots result.
   * `undefined`: not asked yet. Unchecked input.
   */
  accepted<T = unknown>(key: string): T | null | undefined;
  /** The `state` of the `ask` that this call answers, if its signature holds. */
  requestState<T = unknown>(): T | undefined;
  /** Keeps the platform alive until the promise settles, after the answer is sent. */
  waitUntil(promise: Promise<unknown>): void;
}

/** What a tool is given beside that. */
export interface ToolContext<Env = Readonly<Record<string, string>>, Who = Caller | undefined> extends Context<Env, Who> {
  /**
   * A piece of the result's text, sent at once to a client that asked for progress; one that reads more slowly is waited for.
   * All pieces together are the result, unless the handler returns another.
   * Answers whether the result still holds the piece: once it is as long as `[limits] max_result` allows, the rest belongs elsewhere. Throws when `signal` aborts.
   */
  emit(text: string): Promise<boolean>;
  /** The pieces as a result; a tool with an output schema adds its value, `{ ...ctx.emitted(), structuredContent }`. `rest` is the URI of a resource that holds what follows them: `return ctx.emitted({ rest: "logs://app?offset=5000" })`. */
  emitted(options?: { rest?: string | undefined }): CallToolResult;
}

/**
 * Values that outlive the call, each JSON of at most 384 KiB, by keys of at most 512 bytes.
 * Whose they are, the tool's `state` in mcp.toml says; tools for which it says the same share them.
 */
export interface State {
  get<T = unknown>(key: string): Promise<T | undefined>;
  /** Without a `ttl` the value stays until it is deleted. */
  set(key: string, value: unknown, options?: StateOptions): Promise<void>;
  /** Whether there was a value. */
  delete(key: string): Promise<boolean>;
  /** Values in the order of their keys; as long as there is a `cursor`, there may be more. */
  list<T = unknown>(options?: { prefix?: string; limit?: number; cursor?: string }): Promise<{ entries: { key: string; value: T }[]; cursor?: string }>;
  /**
   * Replaces a value by what `next` makes of it, and returns that. No other update comes in between: `next` is called again when
   * somebody else was faster, so it should do nothing else. Without a `ttl` the value lives as long as it would have.
   */
  update<T>(key: string, next: (current: T | undefined) => T | Promise<T>, options?: StateOptions): Promise<T>;
}

export interface StateOptions {
  /** Seconds until the value is gone. */
  ttl?: number;
}

export type Awaitable<T> = T | Promise<T>;

/** `uri` and `mimeType` are filled in from the request and the manifest. */
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
/** A resource that a template lists; its `name` is the template's unless it has one. */
export type Listed = Pick<Resource, "uri"> & Partial<Resource>;

/** Suggests values for one argument, given what the user has typed of it and the other arguments so far. */
export type Complete<Env = Readonly<Record<string, string>>> = (
  typed: string, ctx: Pick<Context<Env>, "env" | "log"> & { arguments: Record<string, string> },
) => Awaitable<readonly string[]>;

// ---- handlers, as the server calls them ----

type Loaded<T> = () => Promise<{ readonly default: T }>;

/** By name, each imported when it is needed. */
export interface Handlers {
  readonly tools: Readonly<Record<string, Loaded<ToolHandler>>>;
  readonly resources: Readonly<Record<string, Loaded<ResourceHandler>>>;
  readonly prompts: Readonly<Record<string, Loaded<PromptHandler>>>;
}

// `../handlers.ts` is checked name by name; to the server a name is a string, and an input is what its schema says.
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
