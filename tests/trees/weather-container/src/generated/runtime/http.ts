// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Requests and answers of a platform, as plain data. In Node.js the first use of the web's `Request`, `Response` or
// `Headers` loads a whole HTTP client, which takes a third of the time until the first answer.

/** What the server reads of a request. */
export interface Incoming {
  readonly method: string;
  /** The path and the query as requested. */
  readonly target: string;
  readonly headers: Fields;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
  /** Aborts the signal: the client no longer takes the answer. */
  cancel(): void;
  /** The body; `undefined` once it is longer than `limit` bytes, whatever its declared length. */
  read(limit: number): Promise<Uint8Array | undefined>;
  /** Keeps the platform alive until the promise settles, also after the answer is sent. */
  waitUntil(promise: Promise<unknown>): void;
}

/** Headers by lower-case names. */
export interface Fields {
  get(name: string): string | null | undefined;
}

export class Answer {
  readonly status: number;
  /** By lower-case names. */
  readonly headers: Record<string, string>;
  readonly body: string | EventStream | null;

  constructor(status: number, body: string | EventStream | null, headers: Record<string, string> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer =>
  new Answer(status, JSON.stringify(value), { "content-type": "application/json", ...headers });

/** An answer that refuses a request, as JSON-RPC. */
export const refusal = (status: number, code: number, message: string, headers: Readonly<Record<string, string>> = {}): Answer =>
  json(status, { jsonrpc: "2.0", id: null, error: { code, message } }, headers);

/** The same without its body, for HEAD. */
export const headOf = ({ status, headers }: Answer): Answer => new Answer(status, null, headers);

/** Proxies end a silent connection after 30 s at the earliest. */
export const SILENCE_MS = 15_000;

/** Bytes that may be on their way to a client. A sender of more has to wait for it. */
export const MOST_UNREAD = 1024 * 1024;

/** Server-sent events between their sender and the platform, which takes them as fast as its client does. */
export class EventStream {
  readonly #events: string[] = [];
  #unread = 0;
  #isOver = false;
  #more: (() => void) | undefined;
  #waiting: (() => void)[] = [];
  readonly #gone: () => void;

  /** Calls `gone` when the client no longer takes anything. */
  constructor(gone: () => void) {
    this.#gone = gone;
  }

  write(event: string): void {
    if (this.#isOver) return;
    this.#events.push(event);
    this.#unread += event.length;
    this.#more?.();
  }

  end(): void {
    this.#isOver = true;
    this.#more?.();
    this.#wake();
  }

  /** Waits until there is room for more, or the client has left. */
  async room(): Promise<void> {
    while (this.#unread > MOST_UNREAD && !this.#isOver) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** All of them: one call may send several pieces at once, and a batch has several calls. */
  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** For the platform: the next piece; `undefined` at the end. */
  async next(): Promise<string | undefined> {
    while (this.#events.length === 0 && !this.#isOver) await new Promise<void>((resolve) => (this.#more = resolve));
    this.#more = undefined;
    const events = this.#events.splice(0).join("");
    this.#unread = 0;
    this.#wake();
    return events === "" ? undefined : events;
  }

  /** For the platform: the client has left. */
  cancel(): void {
    this.#events.length = 0;
    this.end();
    this.#gone();
  }
}
