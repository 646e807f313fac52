// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// A plain HTTP server on Node.js, for AWS Lambda behind its Web Adapter and for any machine.
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import { Answer } from "./http.ts";
import type { EventStream, Incoming } from "./http.ts";
import type { Server } from "./server.ts";

export interface Options {
  readonly port: number;
  /** The address to listen on; this machine alone can reach the default. */
  readonly host?: string;
  /**
   * After SIGTERM or SIGINT the server accepts nothing new, gives requests in flight so many milliseconds, and ends the
   * process with code 0. Without it a signal ends the process at once.
   */
  readonly graceMs?: number;
  /** Headers that the platform adds to a request. */
  readonly headersOf?: (incoming: IncomingMessage) => Readonly<Record<string, string>>;
  /** Called after each answer. */
  readonly done?: () => void;
}

export function listen(server: Server, { port, host = "127.0.0.1", graceMs, headersOf, done }: Options): void {
  const { log } = server.core;
  // Not imported: an import reads the whole module, and loads the HTTP client behind its `WebSocket` before the first
  // answer.
  const http = process.getBuiltinModule("node:http").createServer((incoming, outgoing) => {
    respond(server, incoming, outgoing, () => !http.listening, headersOf?.(incoming)).then(
      () => done && setImmediate(done),
      (error: unknown) => {
        if (!outgoing.destroyed) log("error", "an answer could not be sent", { error });
        outgoing.destroy();
      },
    );
  });
  // The adapter keeps connections for some seconds, and must be the one that closes them.
  http.keepAliveTimeout = 65_000;
  http.once("error", ({ message }) => {
    log("error", "the server cannot listen", { port, reason: message });
    process.exit(1);
  });
  http.listen(port, host);
  if (graceMs !== undefined) endGently(server, http, graceMs);
  // A promise that a handler forgot must not end the process and all other requests with it.
  process.on("unhandledRejection", (error) => log("error", "unhandled rejection", { error }));
}

/** A signal ends the process, and the requests in flight end first. */
function endGently({ core: { log } }: Server, http: HttpServer, graceMs: number): void {
  const end = (signal: NodeJS.Signals) => {
    if (!http.listening) return;
    log("info", "the server ends", { signal });
    http.close(() => process.exit(0));
    // A connection outlives its request.
    setInterval(() => http.closeIdleConnections(), 50);
    setTimeout(() => {
      log("warn", "requests in flight are cut off", { after_ms: graceMs });
      http.closeAllConnections();
    }, graceMs);
  };
  process.on("SIGTERM", end).on("SIGINT", end);
}

async function respond(server: Server, incoming: IncomingMessage, outgoing: ServerResponse, isEnding: () => boolean, added: Readonly<Record<string, string>> = {}): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => outgoing.writableFinished || gone.abort());
  const { method = "GET", url = "/", headers } = incoming;
  const background: Promise<unknown>[] = [];
  const request: Incoming = {
    method,
    target: url,
    headers: { get: (name) => added[name] ?? (headers[name] as string | undefined) },
    signal: gone.signal,
    cancel: () => gone.abort(),
    read: (limit) => read(incoming, limit).catch((error: unknown) => {
      gone.abort();
      throw error;
    }),
    waitUntil: (promise) => background.push(promise),
  };
  const answer = await server.answer(request);
  if (!(answer instanceof Answer)) throw new Error("Node.js serves no WebSocket here");
  const { status, body } = answer;
  const head: Record<string, string | number> = { ...answer.headers };
  // Otherwise the rest of a refused body would be read as the next request.
  if (!incoming.complete || isEnding()) head["connection"] = "close";
  if (typeof body === "string") head["content-length"] = Buffer.byteLength(body);
  outgoing.writeHead(status, head);
  // Head and body in one write.
  if (typeof body === "string" && background.length === 0) return void outgoing.end(body);
  if (typeof body === "string") outgoing.write(body);
  else if (body) await pour(body, outgoing);
  // Lambda stops the process when the response ends.
  if (background.length > 0) await Promise.allSettled(background);
  outgoing.end();
}

function read(incoming: IncomingMessage, limit: number): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error("the client is gone"));
    // The client may have left while its token was checked; no event follows then.
    if (incoming.destroyed) return gone();
    if (Number(incoming.headers["content-length"]) > limit) return resolve(undefined);
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) {
        incoming.pause();
        resolve(undefined);
      } else {
        chunks.push(chunk);
      }
    });
    incoming.once("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    incoming.once("error", reject);
    incoming.once("close", gone);
  });
}

/** As fast as the client reads, and until it leaves. */
async function pour(stream: EventStream, outgoing: ServerResponse): Promise<void> {
  outgoing.once("close", () => stream.cancel());
  if (outgoing.destroyed) return stream.cancel();
  outgoing.flushHeaders();
  for (let events = await stream.next(); events !== undefined; events = await stream.next()) {
    if (outgoing.write(events)) continue;
    await new Promise<void>((resolve) => {
      // Otherwise a slow client would leave a listener behind for each wait.
      const go = () => {
        outgoing.off("drain", go).off("close", go);
        resolve();
      };
      outgoing.once("drain", go).once("close", go);
    });
  }
}
