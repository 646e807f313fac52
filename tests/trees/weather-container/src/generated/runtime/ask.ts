// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// `ctx.ask`: a result that asks the client first, and what a handler wants to remember until the answer comes.
import { ToolError } from "./context.ts";
import { notSet } from "./env.ts";
import type { Exchange, Runtime } from "./exchange.ts";
import { once } from "./manifest.ts";
import { INTERNAL_ERROR, INVALID_PARAMS, MISSING_CAPABILITY, ProtocolError } from "./protocol.ts";
import type { ClientCapabilities, InputRequests, InputRequiredResult, Json } from "./protocol.ts";
import { isObject } from "./shapes.ts";

interface Remembered {
  /** Who asked. No other tool can use the state. */
  readonly of: string;
  readonly value: unknown;
}

export async function ask(runtime: Runtime, exchange: Exchange, what: string, inputRequests: InputRequests, value: unknown): Promise<InputRequiredResult> {
  // Clients with a handshake expect the question in the middle of a call, on a connection that sessionless HTTP does
  // not keep.
  if (!exchange.isModern && !exchange.carrier.question) throw new ToolError("this needs an answer that this client cannot be asked for");
  const state = value === undefined ? {} : { requestState: await signed(runtime, exchange, { of: what, value } satisfies Remembered) };
  return { resultType: "input_required", inputRequests, ...state };
}

export function accepted<T>({ params }: Exchange, key: string): T | null | undefined {
  const responses = params["inputResponses"];
  const answer = isObject(responses) && Object.hasOwn(responses, key) ? responses[key] : undefined;
  if (!isObject(answer) || "method" in answer || "result" in answer) return undefined;
  const { action, content, roots, role } = answer;
  if (action === "accept") return (isObject(content) ? content : {}) as T;
  if (action === "decline" || action === "cancel") return null;
  return Array.isArray(roots) || (typeof role === "string" && content !== undefined) ? (answer as T) : undefined;
}

export const stateOf = <T>(remembered: unknown, what: string): T | undefined =>
  isObject(remembered) && remembered["of"] === what ? (remembered["value"] as T) : undefined;

/** Fails for a malformed question, and for one that the client has not said it can answer. */
export function checkQuestions(asked: Json, capabilities: ClientCapabilities): void {
  const { inputRequests, requestState } = asked;
  const questions = isObject(inputRequests) ? Object.entries(inputRequests) : [];
  if (questions.length === 0 && typeof requestState !== "string") throw new ProtocolError(INTERNAL_ERROR, "the handler asks for nothing");
  for (const [key, question] of questions) {
    const needed = capabilitiesFor(question);
    if (!needed) throw new ProtocolError(INTERNAL_ERROR, `the handler's question ${key} cannot be put to a client`);
    const requiredCapabilities = missing(needed, capabilities as Json);
    if (Object.keys(requiredCapabilities).length === 0) continue;
    throw new ProtocolError(MISSING_CAPABILITY, `the client cannot be asked for ${key} (${String((question as Json)["method"])}): it does not declare that capability`, { requiredCapabilities });
  }
}

function capabilitiesFor(question: unknown): Record<string, Json> | undefined {
  if (!isObject(question)) return undefined;
  const params = isObject(question["params"]) ? question["params"] : {};
  switch (question["method"]) {
    case "elicitation/create":
      return { elicitation: params["mode"] === "url" ? { url: {} } : { form: {} } };
    case "sampling/createMessage":
      return { sampling: params["tools"] !== undefined || params["toolChoice"] !== undefined ? { tools: {} } : {} };
    case "roots/list":
      return { roots: {} };
    default:
      return undefined;
  }
}

function missing(needed: Record<string, Json>, declared: Json): Json {
  const lacking: Json = {};
  for (const [name, parts] of Object.entries(needed)) {
    const has = declared[name];
    if (!isObject(has)) {
      lacking[name] = parts;
      continue;
    }
    // Elicitation without a mode means forms.
    const isThere = (part: string) => has[part] !== undefined || (name === "elicitation" && part === "form" && has["url"] === undefined);
    const absent = Object.entries(parts).filter(([part]) => !isThere(part));
    if (absent.length > 0) lacking[name] = Object.fromEntries(absent);
  }
  return lacking;
}

// ---- the signature: the state comes back from the client, and may be forged ----

const PREFIX = "v1.";
const TTL_S = 600;
const encoder = new TextEncoder();
/** Its name differs between type libraries. */
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** Invalid for another method, for another caller, and after ten minutes. */
async function signed(runtime: Runtime, exchange: Exchange, value: unknown): Promise<string> {
  const key = await keyOf(runtime);
  const envelope = { p: value, exp: Math.floor(Date.now() / 1000) + TTL_S, b: await tagOf(key, exchange) };
  const body = PREFIX + base64Url(encoder.encode(JSON.stringify(envelope)));
  return `${body}.${base64Url(await hmac(key, body))}`;
}

/** The signed value; fails with an error of the protocol if the signature is invalid. */
export async function remembered(runtime: Runtime, exchange: Exchange): Promise<unknown> {
  const { requestState } = exchange.params;
  if (requestState === undefined) return undefined;
  try {
    if (typeof requestState !== "string") throw new Error("malformed");
    return await verified(await keyOf(runtime), exchange, requestState);
  } catch (error) {
    runtime.log("warn", "request rejected", { reason: `requestState: ${error instanceof Error ? error.message : "malformed"}` });
    throw new ProtocolError(INVALID_PARAMS, "Invalid or expired requestState", { reason: "invalid_request_state" });
  }
}

async function verified(key: Key, exchange: Exchange, state: string): Promise<unknown> {
  const dot = state.lastIndexOf(".");
  if (!state.startsWith(PREFIX) || dot <= PREFIX.length) throw new Error("malformed");
  if (!(await crypto.subtle.verify("HMAC", key, fromBase64Url(state.slice(dot + 1)), encoder.encode(state.slice(0, dot))))) throw new Error("its signature is wrong");
  const envelope = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(fromBase64Url(state.slice(PREFIX.length, dot)))) as Json;
  if (typeof envelope["exp"] !== "number" || envelope["exp"] < Math.floor(Date.now() / 1000)) throw new Error("expired");
  if (envelope["b"] !== (await tagOf(key, exchange))) throw new Error("it is of another caller or method");
  return envelope["p"];
}

const keyOf = once(({ env, manifest }: Runtime): Promise<Key> => {
  const secret = encoder.encode(env["MCP_STATE_KEY"] ?? notSet(manifest, "MCP_STATE_KEY"));
  if (secret.length < 32) throw new Error("the secret MCP_STATE_KEY must have 32 bytes at least");
  return crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
});

const hmac = async (key: Key, text: string): Promise<Uint8Array> => new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));

async function tagOf(key: Key, { method, carrier }: Exchange): Promise<string> {
  return base64Url((await hmac(key, `mcp.requestState.bind:${method} ${carrier.caller?.id ?? ""}`)).slice(0, 16));
}

const base64Url = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const fromBase64Url = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
