// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Runs one handler: its context, its time limit and its errors.
import { accepted, ask, stateOf } from "./ask.ts";
import { ToolError } from "./context.ts";
import type { Context, Handlers, ToolContext } from "./context.ts";
import type { Broken, Exchange, Runtime } from "./exchange.ts";
import { SILENCE_MS } from "./http.ts";
import { createProgress } from "./progress.ts";
import type { Progress } from "./progress.ts";
import { INTERNAL_ERROR, LOGGING_LEVELS, ProtocolError } from "./protocol.ts";
import { toJson } from "./results.ts";
import { isObject } from "./shapes.ts";

/** Characters of a request's id in the log. */
const LONGEST_ID = 100;

export interface Call {
  /** For the log: `tool get_weather`. */
  readonly what: string;
  readonly timeoutMs: number;
  /** What a `ctx.ask` before this call wanted to remember. */
  readonly remembered?: unknown;
}

/** Runs a handler. Fails with a ToolError that the client may see, or with an error of the protocol. */
export async function run<T>(runtime: Runtime, exchange: Exchange, call: Call, handler: (ctx: ToolContext) => T | Promise<T>): Promise<T> {
  const { what, timeoutMs } = call;
  const { signal } = exchange.carrier;
  const stop = new AbortController();
  const cancel = () => stop.abort(new DOMException("cancelled", "AbortError"));
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  const timer = setTimeout(() => stop.abort(new DOMException(`timed out after ${timeoutMs} ms`, "TimeoutError")), timeoutMs);
  const said = createProgress(exchange, stop.signal, runtime.manifest.limits.maxResultBytes);
  const beat = said.isAsked ? setInterval(said.beat, SILENCE_MS) : undefined;
  try {
    return await orAbort(stop.signal, handler, contextOf(runtime, exchange, call, stop.signal, said));
  } catch (error) {
    if (error instanceof ToolError || error instanceof ProtocolError) throw error;
    if (stop.signal.aborted) {
      const { name, message } = stop.signal.reason as DOMException;
      if (name === "TimeoutError") runtime.log("warn", message, { what });
      throw new ToolError(message);
    }
    throw masked(runtime, what, error);
  } finally {
    clearTimeout(timer);
    clearInterval(beat);
    signal.removeEventListener("abort", cancel);
  }
}

/** What the client sees of an error that is not meant for it. The log has the rest. */
export function masked(runtime: Runtime, what: string, error: unknown): ToolError {
  const ref = crypto.randomUUID();
  runtime.log("error", "internal error", { ref, what, error });
  return new ToolError(`internal error (ref ${ref})`);
}

/** The server does not wait for a handler that ignores its signal. */
function orAbort<T>(signal: AbortSignal, handler: (ctx: ToolContext) => T | Promise<T>, ctx: ToolContext): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    if (signal.aborted) return reject(signal.reason as Error);
    // Inside `then`, so that an exception of a plain function becomes a rejection.
    Promise.resolve(ctx).then(handler).then(resolve, reject);
  });
}

function contextOf(runtime: Runtime, exchange: Exchange, { what, remembered }: Call, signal: AbortSignal, said: Progress): ToolContext {
  const { env, log } = runtime;
  const { id: requestId, carrier } = exchange;
  // A client may choose an id as long as a message.
  const logged = typeof requestId === "string" ? requestId.slice(0, LONGEST_ID) : requestId;
  const { progress, emit, emitted } = said;
  const context: ToolContext = {
    env,
    signal,
    requestId,
    caller: carrier.caller,
    clientCapabilities: exchange.capabilities,
    progress,
    emit,
    emitted,
    log: (level, message, fields) => log(level, message, { what, requestId: logged, ...fields }),
    async clientLog(level, data) {
      const { logLevel } = exchange;
      const isWanted = logLevel === "all" || (logLevel !== "none" && LOGGING_LEVELS.indexOf(level) >= LOGGING_LEVELS.indexOf(logLevel));
      if (isWanted) await carrier.notify({ jsonrpc: "2.0", method: "notifications/message", params: { level, data: JSON.parse(toJson(data)) as unknown } });
    },
    ask: (requests, value) => ask(runtime, exchange, what, requests, value),
    accepted: <T>(key: string) => accepted<T>(exchange, key),
    requestState: <T>() => stateOf<T>(remembered, what),
    waitUntil(promise) {
      carrier.waitUntil(promise.catch((error: unknown) => log("error", "background work failed", { what, error })));
    },
  };
  return context;
}

/** Like `run`, for methods that report failures as errors of the protocol. */
export async function runOrFail<T>(runtime: Runtime, exchange: Exchange, call: Call, handler: (ctx: Context) => T | Promise<T>): Promise<T> {
  try {
    return await run(runtime, exchange, call, handler);
  } catch (error) {
    throw protocolErrorOf(error);
  }
}

/** What a tool shows as its result is an error of the protocol elsewhere. */
export const protocolErrorOf = (error: unknown): unknown => (error instanceof ToolError ? new ProtocolError(INTERNAL_ERROR, error.message) : error);

/** Imports a handler. If that fails, the log has the reason, and the client learns no more than the fact. */
export async function imported<T>(runtime: Runtime, what: string, load: (() => Promise<{ readonly default: T }>) | undefined): Promise<T> {
  try {
    return (await importOne(load)) as T;
  } catch (error) {
    runtime.isBroken({ what, error });
    throw new ToolError(`the handler of the ${what} cannot be imported`);
  }
}

type Load = () => Promise<{ readonly default: unknown }>;

/** The platform's cache of modules needs the address of each. */
const known = new WeakMap<Load, unknown>();

async function importOne(load: Load | undefined): Promise<unknown> {
  const before = load && known.get(load);
  if (before) return before;
  const handler = (await load?.())?.default;
  if (!isObject(handler)) throw new TypeError("the module has no default export that `tool`, `resource` or `prompt` made");
  if (load) known.set(load, handler);
  return handler;
}

/** Imports all handlers independently, and returns those that failed. */
export async function importAll({ tools, resources, prompts }: Handlers): Promise<readonly Broken[]> {
  const broken: Broken[] = [];
  const kinds = [["tool", tools], ["resource", resources], ["prompt", prompts]] as const;
  const all = kinds.flatMap(([kind, handlers]) => Object.entries(handlers).map(([name, load]) => ({ what: `${kind} ${name}`, load })));
  await Promise.all(all.map(({ what, load }) => importOne(load).catch((error: unknown) => broken.push({ what, error }))));
  return broken;
}
