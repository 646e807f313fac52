// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// A plain HTTP server of Node.js, for AWS Lambda behind its Web Adapter and for any machine.
import type { IncomingMessage, ServerResponse } from "node:http";
import { Answer } from "./http.ts";
import type { EventStream, Incoming } from "./http.ts";
import type { Server } from "./server.ts";

export interface Options {
  readonly port: number;
  /** Adds to the headers of a request what the platform knows of it. */
  readonly headersOf?: (incoming: IncomingMessage) => Readonly<Record<string, string>>;
  /** Called when an answer is out. */
  readonly done?: () => void;
}

export function listen(server: Server, { port, headersOf, done }: Options): void {
  const { log } = server.core;
  // Not imported: that would read all that the module has, and so load the HTTP client behind its `WebSocket` before the first answer.
  const http = process.getBuiltinModule("node:http").createServer((incoming, outgoing) => {
    respond(server, incoming, outgoing, headersOf?.(incoming)).then(
      () => done && setImmediate(done),
      (error: unknown) => {
        if (!outgoing.destroyed) log("error", "an answer could not be sent", { error });
        outgoing.destroy();
      },
    );
  });
  // The adapter keeps its connections for some seconds; it must be the one to close them.
  http.keepAliveTimeout = 65_000;
  http.once("error", ({ message }) => {
    log("error", "the server cannot listen", { port, reason: message });
    process.exit(1);
  });
  http.listen(port, "127.0.0.1");
  // A promise that a handler forgot must not end the process, and with it every other request.
  process.on("unhandledRejection", (error) => log("error", "unhandled rejection", { error }));
}

async function respond(server: Server, incoming: IncomingMessage, outgoing: ServerResponse, added: Readonly<Record<string, string>> = {}): Promise<void> {
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
  // What is left of a body that was refused would be taken for the next request.
  if (!incoming.complete) head["connection"] = "close";
  if (typeof body === "string") head["content-length"] = Buffer.byteLength(body);
  outgoing.writeHead(status, head);
  // Head and body in one go.
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
    // It may have left while its token was checked: nothing more is heard of it then.
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

/** As fast as the client reads, and no longer than it is there. */
async function pour(stream: EventStream, outgoing: ServerResponse): Promise<void> {
  outgoing.once("close", () => stream.cancel());
  if (outgoing.destroyed) return stream.cancel();
  outgoing.flushHeaders();
  for (let events = await stream.next(); events !== undefined; events = await stream.next()) {
    if (outgoing.write(events)) continue;
    await new Promise<void>((resolve) => {
      // A client that is slow all the time would leave a listener behind for each time.
      const go = () => {
        outgoing.off("drain", go).off("close", go);
        resolve();
      };
      outgoing.once("drain", go).once("close", go);
    });
  }
}
