// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// MCP over a lasting connection: what a WebSocket session receives and sends.
import { ToolError } from "./context.ts";
import type { Caller } from "./context.ts";
import { Exchange, failed } from "./exchange.ts";
import type { Carrier, Runtime } from "./exchange.ts";
import { MOST_UNREAD } from "./http.ts";
import { answerOf, lackingScopes } from "./endpoint.ts";
import { createMethods } from "./methods.ts";
import type { Methods } from "./methods.ts";
import { checkQuestions } from "./ask.ts";
import { INTERNAL_ERROR, INVALID_REQUEST, ProtocolError, REFUSED } from "./protocol.ts";
import type {
  ClientCapabilities, Id, InputRequest, InputRequiredResult, Json, JsonRpcNotification, JsonRpcRequest, JsonRpcResponse, LoggingLevel, Message,
} from "./protocol.ts";
import type { Auth } from "./server.ts";
import { isNotification, isObject, isRequest } from "./shapes.ts";

/** What a client said that changes later answers. */
export interface Heard {
  capabilities?: ClientCapabilities;
  logLevel?: LoggingLevel;
}

/** Sends text on the connection. */
export interface Socket {
  readonly isOpen: boolean;
  send(text: string): void;
}

/** Requests that one connection may have in progress: each takes memory. */
const MOST_OPEN = 32;
/** None of our other ids is a string. */
const PACE_ID = "pace";
/** Rounds of questions in one call, and milliseconds for an answer. */
const MOST_ROUNDS = 8;
const ANSWER_MS = 600_000;

export class Channel {
  readonly #runtime: Runtime;
  readonly #methods: Methods;
  readonly #auth: Auth | undefined;
  readonly #socket: Socket;
  readonly #caller: Caller | undefined;
  readonly #waitUntil: (promise: Promise<unknown>) => void;
  #heard: Heard;
  /** Requests without an answer yet. */
  readonly #open = new Map<Id, AbortController>();
  readonly #asked = new Map<Id, (response: JsonRpcResponse) => void>();
  #lastId = 0;

  constructor(runtime: Runtime, auth: Auth | undefined, socket: Socket, caller: Caller | undefined, heard: Heard, waitUntil: (promise: Promise<unknown>) => void) {
    this.#runtime = runtime;
    this.#methods = createMethods(runtime);
    this.#auth = auth;
    this.#socket = socket;
    this.#caller = caller;
    this.#heard = heard;
    this.#waitUntil = waitUntil;
  }

  /** What the client has said about itself so far. */
  hear(heard: Heard): void {
    this.#heard = heard;
  }

  /** Settles when the message is answered, if it needs an answer. */
  async receive(message: Message): Promise<void> {
    if (isRequest(message)) return this.#answer(message);
    if (!isNotification(message)) return this.#settle(message as JsonRpcResponse);
    if (message.method === "notifications/cancelled") this.#open.get(message.params?.["requestId"] as Id)?.abort();
  }

  /** The connection is closed: cancels what still runs. */
  end(): void {
    for (const running of this.#open.values()) running.abort();
    for (const settle of this.#asked.values()) settle({ jsonrpc: "2.0", error: { code: INTERNAL_ERROR, message: "Connection closed" } });
    this.#empty();
  }

  async #answer(request: JsonRpcRequest): Promise<void> {
    const { id } = request;
    if (this.#open.has(id)) return this.#write(failed(id, INVALID_REQUEST, "a request with this id is not answered yet"));
    if (this.#open.size >= MOST_OPEN) return this.#write(failed(id, REFUSED, `at most ${MOST_OPEN} requests at a time on one connection: wait for an answer`));
    const needed = lackingScopes(this.#runtime, this.#auth, this.#caller, request);
    if (needed) return this.#write(failed(id, REFUSED, `the access token needs the scopes ${needed.join(" ")}`));
    const running = new AbortController();
    this.#open.set(id, running);
    try {
      const { text } = await answerOf(this.#runtime, this.#methods, new Exchange(this.#carrier(running.signal), false, request));
      // A cancelled request gets no answer.
      if (!running.signal.aborted) this.#write(text);
    } finally {
      if (this.#open.get(id) === running) this.#open.delete(id);
    }
  }

  #carrier(signal: AbortSignal): Carrier {
    let rounds = 0;
    return {
      signal,
      caller: this.#caller,
      logLevel: this.#heard.logLevel,
      notify: (message) => this.#notify(message, signal),
      waitUntil: this.#waitUntil,
      question: async (asked) => {
        rounds += 1;
        try {
          if (rounds > MOST_ROUNDS) throw new ProtocolError(INTERNAL_ERROR, `the call still asks after ${MOST_ROUNDS} rounds`);
          return await this.#ask(asked, signal);
        } catch (error) {
          // These clients know no code for it: the call fails.
          throw error instanceof ProtocolError ? new ToolError(error.message) : error;
        }
      },
    };
  }

  // ---- questions ----

  async #ask(asked: InputRequiredResult, signal: AbortSignal): Promise<Json> {
    checkQuestions(asked as unknown as Json, this.#heard.capabilities ?? {});
    const answers = Object.entries(asked.inputRequests ?? {}).map(async ([key, question]) => [key, await this.#request(question, signal)] as const);
    return Object.fromEntries(await Promise.all(answers));
  }

  #request({ method, params }: InputRequest, signal: AbortSignal): Promise<Json> {
    const id = this.#lastId++;
    return new Promise((resolve, reject) => {
      // A timer that is left would keep a session's object in memory.
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", cancel);
        this.#asked.delete(id);
      };
      const end = (error: Error) => {
        over();
        reject(error);
      };
      const cancel = () => end(new DOMException("cancelled", "AbortError"));
      const timer = setTimeout(() => end(new ProtocolError(INTERNAL_ERROR, "the client did not answer the question in time")), ANSWER_MS);
      if (signal.aborted) return cancel();
      signal.addEventListener("abort", cancel, { once: true });
      this.#asked.set(id, ({ result, error }) => {
        over();
        if (isObject(result)) resolve(result);
        else reject(new ProtocolError(INTERNAL_ERROR, `the client refused the question: ${error?.message ?? "no result"}`));
      });
      this.#write(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  #settle(response: JsonRpcResponse): void {
    if (response.id === PACE_ID) return this.#empty();
    this.#asked.get(response.id ?? "")?.(response);
  }

  // ---- pace: a socket does not know what its client has read; the client's answer to a ping shows it ----

  #unread = 0;
  #isPinged = false;
  #emptied = Promise.withResolvers<void>();

  async #notify(message: JsonRpcNotification, signal: AbortSignal): Promise<void> {
    const text = JSON.stringify(message);
    this.#unread += text.length;
    this.#write(text);
    if (this.#unread <= MOST_UNREAD || signal.aborted || !this.#socket.isOpen) return;
    if (!this.#isPinged) this.#write(JSON.stringify({ jsonrpc: "2.0", id: PACE_ID, method: "ping" }));
    this.#isPinged = true;
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const stop = () => resolve();
    signal.addEventListener("abort", stop, { once: true });
    await Promise.race([this.#emptied.promise, aborted]);
    signal.removeEventListener("abort", stop);
  }

  #empty(): void {
    this.#isPinged = false;
    this.#unread = 0;
    this.#emptied.resolve();
    this.#emptied = Promise.withResolvers<void>();
  }

  #write(text: string): void {
    if (this.#socket.isOpen) this.#socket.send(text);
  }
}
