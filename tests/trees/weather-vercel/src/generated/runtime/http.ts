// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// What a platform hands in and what it is answered, as plain data: in Node.js the first touch of the web's own `Request`,
// `Response` or `Headers` loads a whole HTTP client, which takes a third of the time until a first answer.

/** What is read of a request. */
export interface Incoming {
  readonly method: string;
  /** The path and the query, as they were asked for. */
  readonly target: string;
  readonly headers: Fields;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Aborts the signal: nobody takes the answer any more. */
  cancel(): void;
  /** The body; `undefined` as soon as it is longer than `limit` bytes, whatever length it was declared to have. */
  read(limit: number): Promise<Uint8Array | undefined>;
  /** Keeps the platform alive until the promise settles, after the answer is sent. */
  waitUntil(promise: Promise<unknown>): void;
}

/** Headers by their names in lower case. */
export interface Fields {
  get(name: string): string | null | undefined;
}

export class Answer {
  readonly status: number;
  /** By names in lower case. */
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

/** An answer that refuses a request, in the form of JSON-RPC. */
export const refusal = (status: number, code: number, message: string, headers: Readonly<Record<string, string>> = {}): Answer =>
  json(status, { jsonrpc: "2.0", id: null, error: { code, message } }, headers);

/** The same without its body: what HEAD gets. */
export const headOf = ({ status, headers }: Answer): Answer => new Answer(status, null, headers);

/** What stands between server and client ends a connection on which nothing is said, after 30 s at the earliest. */
export const SILENCE_MS = 15_000;

/** Bytes that may be on their way to a client: who sends more has to wait for it. */
export const MOST_UNREAD = 1024 * 1024;

/** Server-sent events between the one who sends them and the platform, which takes them as fast as its client does. */
export class EventStream {
  readonly #events: string[] = [];
  #unread = 0;
  #isOver = false;
  #more: (() => void) | undefined;
  #waiting: (() => void)[] = [];
  readonly #gone: () => void;

  /** `gone` is called when nobody will take anything any more. */
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

  /** Until there is room for more, or nobody to read it. */
  async room(): Promise<void> {
    while (this.#unread > MOST_UNREAD && !this.#isOver) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** All of them: one call may send several pieces at once, and a batch is several calls. */
  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** For the platform: what comes next; `undefined` at the end. */
  async next(): Promise<string | undefined> {
    while (this.#events.length === 0 && !this.#isOver) await new Promise<void>((resolve) => (this.#more = resolve));
    this.#more = undefined;
    const events = this.#events.splice(0).join("");
    this.#unread = 0;
    this.#wake();
    return events === "" ? undefined : events;
  }

  /** For the platform: the client is gone. */
  cancel(): void {
    this.#events.length = 0;
    this.end();
    this.#gone();
  }
}
