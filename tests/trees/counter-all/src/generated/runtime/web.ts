// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// For platforms with the web's interface: a `Request` in, a `Response` out.
import { Answer } from "./http.ts";
import type { Incoming } from "./http.ts";
import type { Server } from "./server.ts";

export type Fetch = (request: Request, waitUntil: (promise: Promise<unknown>) => void) => Promise<Response>;

export function toFetch(server: Server): Fetch {
  return async (request, waitUntil) => toResponse(await server.answer(incomingOf(request, waitUntil)));
}

function incomingOf(request: Request, waitUntil: (promise: Promise<unknown>) => void): Incoming {
  const { method, headers } = request;
  const { host, pathname, search } = new URL(request.url);
  const gone = new AbortController();
  if (request.signal.aborted) gone.abort();
  else request.signal.addEventListener("abort", () => gone.abort(), { once: true });
  return {
    method,
    target: pathname + search,
    headers: { get: (name) => headers.get(name) ?? (name === "host" ? host : null) },
    signal: gone.signal,
    cancel: () => gone.abort(),
    // A body that breaks off means that the client has left, whether the platform says so or not.
    read: (limit) => read(request, limit).catch((error: unknown) => {
      gone.abort();
      throw error;
    }),
    waitUntil,
  };
}

async function read(request: Request, limit: number): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get("content-length")) > limit) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    length += part.value.length;
    if (length > limit) return undefined;
    chunks.push(part.value);
  }
  return join(chunks, length);
}

export function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

function toResponse(answer: Answer | Response): Response {
  if (!(answer instanceof Answer)) return answer;
  const { status, headers, body } = answer;
  if (body === null || typeof body === "string") return new Response(body, { status, headers });
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const events = await body.next();
      if (events === undefined) controller.close();
      else controller.enqueue(encoder.encode(events));
    },
    cancel: () => body.cancel(),
  }, { highWaterMark: 0 });
  return new Response(stream, { status, headers });
}
