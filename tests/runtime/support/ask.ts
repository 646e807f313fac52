// Asks a server in this process, as a platform does.
import { Answer } from "../../../templates/runtime/http.ts";
import type { Incoming } from "../../../templates/runtime/http.ts";
import { createServer } from "../../../templates/runtime/server.ts";
import type { Parts, Server } from "../../../templates/runtime/server.ts";
import type { Manifest } from "../../../templates/runtime/manifest.ts";
import { CAPABILITIES_KEY, MODERN, VERSION_KEY } from "../../../templates/runtime/protocol.ts";
import type { Json } from "../../../templates/runtime/protocol.ts";
import type { ToolContext } from "../../../templates/runtime/context.ts";
import { handlers, manifest, variables } from "./fixture.ts";

export const BOTH = "application/json, text/event-stream";

export interface Asked {
  readonly target?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly gone?: AbortController;
}

export function incomingOf({ target = "/mcp", method = "POST", headers = {}, body = "", gone = new AbortController() }: Asked): Incoming {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const fields = new Map(Object.entries({ host: "localhost", ...headers }));
  return {
    method, target, headers: fields, signal: gone.signal, cancel: () => gone.abort(), waitUntil: () => {}, read: async (limit) => (bytes.length > limit ? undefined : bytes),
  };
}

export interface Said {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
  readonly messages: Json[];
}

export async function ask(server: Server, asked: Asked): Promise<Said> {
  const answer = await server.answer(incomingOf(asked));
  if (!(answer instanceof Answer)) {
    const text = await answer.text();
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text, messages: messagesOf(answer.headers.get("content-type"), text) };
  }
  let text = "";
  if (typeof answer.body === "string") text = answer.body;
  else if (answer.body) for (let events = await answer.body.next(); events !== undefined; events = await answer.body.next()) text += events;
  return { status: answer.status, headers: answer.headers, text, messages: messagesOf(answer.headers["content-type"], text) };
}

function messagesOf(type: string | null | undefined, text: string): Json[] {
  // By lines, which end at U+2028 for regular expressions alone.
  if (type?.startsWith("text/event-stream")) return text.split("\n").flatMap((line) => (line.startsWith("data: {") ? [JSON.parse(line.slice(6)) as Json] : []));
  if (text === "") return [];
  if (!type?.startsWith("application/json")) return [{ text }];
  const message = JSON.parse(text) as Json;
  return Array.isArray(message) ? (message as Json[]) : [message];
}

export const serverOf = (parts: Partial<Parts> = {}, others: Readonly<Record<string, unknown>> = {}): Server =>
  createServer({ variables: { ...variables, ...others }, hosts: [] }, { manifest, handlers, ...parts });

/** A server of one tool, which does what a test wants. */
export function serverOfTool(run: (input: Json, ctx: ToolContext) => unknown, tool: Json = {}, limits: Partial<Manifest["limits"]> = {}): Server {
  const entry = { name: "it", inputSchema: { type: "object" }, timeoutMs: 2000, ...tool };
  return serverOf({
    manifest: { ...manifest, tools: [entry], resources: [], prompts: [], limits: { ...manifest.limits, ...limits } },
    handlers: { tools: { it: async () => ({ default: { run } as never }) }, resources: {}, prompts: {} },
  });
}

export function callOf(isModern: boolean, method: string, params: Json, headers: Readonly<Record<string, string>> = {}): Asked {
  const common = { "content-type": "application/json", accept: BOTH, "mcp-protocol-version": isModern ? MODERN : "2025-11-25" };
  const name = params["name"] ?? params["uri"];
  const _meta = isModern ? { [VERSION_KEY]: MODERN, [CAPABILITIES_KEY]: { elicitation: {} }, ...(params["_meta"] as Json) } : (params["_meta"] as Json | undefined);
  return {
    headers: { ...common, ...(isModern && { "mcp-method": method, ...(typeof name === "string" && { "mcp-name": name }) }), ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, ...(_meta && { _meta }) } }),
  };
}

/** The result of a call of `it`, or the error. */
export async function callIt(server: Server, args: Json = {}, isModern = true, params: Json = {}): Promise<Json> {
  const { messages } = await ask(server, callOf(isModern, "tools/call", { name: "it", arguments: args, ...params }));
  const last = messages.at(-1) ?? {};
  return (last["result"] ?? last["error"]) as Json;
}

export const textOf = (result: Json): string => ((result["content"] as Json[] | undefined)?.[0]?.["text"] ?? result["message"]) as string;
