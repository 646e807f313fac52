// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// A client in the same process, for the tests of handlers. No bundle contains this file.
import { CAPABILITIES_KEY, CLIENT_INFO_KEY, MODERN, ProtocolError, VERSION_KEY } from "./protocol.ts";
import type { InputRequests, InputRequiredResult, JsonRpcRequest } from "./protocol.ts";
import { Answer } from "./http.ts";
import type { Server } from "./server.ts";

export interface Progress {
  progress: number;
  total?: number;
  message?: string;
}

export interface AskOptions {
  /** When it aborts, the client has left. */
  signal?: AbortSignal;
  onprogress?: (progress: Progress) => void;
  /** The answers to `ctx.ask`, by key. */
  answers?: Readonly<Record<string, unknown>>;
}

interface Message {
  params?: Progress;
  result?: unknown;
  error?: { code: number; message: string; data?: unknown };
}

/** One request, and one more for each round of questions. Fails with a ProtocolError. */
export async function ask<R>(server: Server, method: string, name: string, params: object, options: AskOptions): Promise<{ result: R; progress: Progress[] }> {
  const _meta = {
    progressToken: 1,
    [VERSION_KEY]: MODERN,
    [CLIENT_INFO_KEY]: { name: "test", version: "0" },
    [CAPABILITIES_KEY]: { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} },
  };
  const progress: Progress[] = [];
  let answered: object = {};
  for (let id = 1; ; id++) {
    let result: R | InputRequiredResult | undefined;
    for await (const message of send(server, { jsonrpc: "2.0", id, method, params: { ...params, ...answered, _meta } }, name, options.signal)) {
      if (message.error) throw new ProtocolError(message.error.code, message.error.message, message.error.data);
      if (message.params) {
        const { progress: done, total, message: text } = message.params;
        const step = { progress: done, ...(total !== undefined && { total }), ...(text !== undefined && { message: text }) };
        progress.push(step);
        options.onprogress?.(step);
      } else {
        result = message.result as R | InputRequiredResult;
      }
    }
    options.signal?.throwIfAborted();
    if (!result) throw new Error(`no answer to ${method}`);
    if (!isQuestion(result)) return { result, progress };
    const { inputRequests = {}, requestState } = result;
    answered = { inputResponses: answersTo(inputRequests, options.answers ?? {}), ...(requestState && { requestState }) };
  }
}

const isQuestion = (result: unknown): result is InputRequiredResult => (result as InputRequiredResult).resultType === "input_required";

function answersTo(requests: InputRequests, answers: Readonly<Record<string, unknown>>): object {
  const unanswered = Object.keys(requests).filter((key) => !(key in answers));
  if (unanswered.length > 0) throw new Error(`the handler asks for ${unanswered.join(", ")}: answer in \`answers\``);
  const answer = ([key, { method }]: [string, { method: string }]) => {
    const given = answers[key] as object;
    return [key, method === "elicitation/create" && !("action" in given) ? { action: "accept", content: given } : given];
  };
  return Object.fromEntries(Object.entries(requests).map(answer));
}

async function* send(server: Server, message: JsonRpcRequest, name: string, signal: AbortSignal | undefined): AsyncGenerator<Message> {
  const headers = new Map([
    ["host", "localhost"], ["content-type", "application/json"], ["accept", "application/json, text/event-stream"],
    ["mcp-protocol-version", MODERN], ["mcp-method", message.method], ["mcp-name", encode(name)],
  ]);
  const body = new TextEncoder().encode(JSON.stringify(message));
  const gone = new AbortController();
  if (signal?.aborted) gone.abort();
  else signal?.addEventListener("abort", () => gone.abort(), { once: true });
  const answer = await server.answer({
    method: "POST", target: "/mcp", headers, signal: gone.signal, cancel: () => gone.abort(), read: async (limit) => (body.length > limit ? undefined : body), waitUntil: () => {},
  });
  if (!(answer instanceof Answer) || answer.body === null) throw new Error(`no answer to ${message.method}`);
  if (typeof answer.body === "string") {
    yield JSON.parse(answer.body) as Message;
    return;
  }
  for (let events = await answer.body.next(); events !== undefined; events = await answer.body.next()) {
    // Not with a regular expression: for it U+2028 ends a line, too, which JSON allows in a string.
    for (const line of events.split("\n")) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6)) as Message;
  }
}

/** A name as a header can hold it. */
function encode(name: string): string {
  if (/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !name.startsWith("=?base64?")) return name;
  return `=?base64?${btoa(Array.from(new TextEncoder().encode(name), (byte) => String.fromCharCode(byte)).join(""))}?=`;
}
