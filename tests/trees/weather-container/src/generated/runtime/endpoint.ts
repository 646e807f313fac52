// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// A POST to /mcp: its protocol generation, whether it is well formed, and the answer in the form that the client
// accepts.
import type { Caller } from "./context.ts";
import { Exchange, failed, success } from "./exchange.ts";
import type { Carrier, Runtime } from "./exchange.ts";
import { mismatchedHeaders, mismatchedParameters, trimmed } from "./headers.ts";
import { Answer, EventStream, SILENCE_MS } from "./http.ts";
import type { Incoming } from "./http.ts";
import { byName } from "./manifest.ts";
import { answerTo, createMethods } from "./methods.ts";
import type { Methods } from "./methods.ts";
import {
  CAPABILITIES_KEY, CLIENT_INFO_KEY, HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, LEGACY, LOG_LEVEL_KEY, METHOD_NOT_FOUND,
  MISSING_CAPABILITY, MODERN, PARSE_ERROR, ProtocolError, REFUSED, SUBSCRIPTION_KEY, UNSUPPORTED_VERSION, VERSION_KEY,
} from "./protocol.ts";
import type { Id, Json, JsonRpcNotification, JsonRpcRequest } from "./protocol.ts";
import type { Auth } from "./server.ts";
import { isCapabilities, isClientInfo, isLoggingLevel, isNotification, isObject, isProgressToken, isRequest, isResponse, PARAMS } from "./shapes.ts";

/** Answers a body. `admit` counts each request of a batch after the first. */
export type Endpoint = (incoming: Incoming, body: Uint8Array, caller: Caller | undefined, admit: () => Promise<Answer | undefined>) => Promise<Answer | Response>;

const MOST_IN_BATCH = 100;
const LONGEST_REASON = 500;
/** Levels of arrays and objects. No tool needs deeper values, and some platforms hang on them. */
const DEEPEST = 128;
const decoder = new TextDecoder();

export function createEndpoint(runtime: Runtime, auth: Auth | undefined): Endpoint {
  const methods = createMethods(runtime);
  const refuse = (status: number, id: Id | null, error: ProtocolError): Answer => refuseWith(runtime, status, id, error);

  return async (incoming, body, caller, admit) => {
    const read = readMessage(decoder.decode(body));
    if (read instanceof ProtocolError) return refuse(400, null, read);
    const scopes = (requests: readonly JsonRpcRequest[]): Answer | undefined => {
      for (const request of auth?.refuse ? requests : []) {
        const needed = lackingScopes(runtime, auth, caller, request);
        if (needed) return auth?.refuse?.(incoming, needed);
      }
      return undefined;
    };
    const version = trimmed(incoming.headers, "mcp-protocol-version");
    const isModern = version !== undefined && version >= MODERN;
    if (Array.isArray(read)) return batch(read.map(withoutNull));
    const message = withoutNull(read);
    if (isRequest(message)) {
      const claims = claimsVersion(message.params);
      if (message.method === "initialize" && !isValidClaim(message.params)) {
        return isModern ? refuse(400, message.id, mismatch(version, "an initialize request was sent with the header of a version without it")) : handshake([message]);
      }
      if (claims) return modern(message);
      if (!isModern) return handshake([message]);
      const meta = metaOf(message.params);
      const lacking = meta ? [VERSION_KEY, CAPABILITIES_KEY].filter((key) => !Object.hasOwn(meta, key)) : ["_meta"];
      return refuse(400, message.id, new ProtocolError(INVALID_PARAMS, `Invalid params: the request lacks ${lacking.join(", ")}`, { envelope: { missing: lacking } }));
    }
    if (isNotification(message)) return notification(message);
    if (isResponse(message)) return handshake([]);
    return refuse(400, idOf(message), new ProtocolError(INVALID_REQUEST, "Bad Request: the request body is not a valid JSON-RPC message"));

    /** The generation without a handshake. */
    function modern(request: JsonRpcRequest): Answer | Promise<Answer> {
      const { id, method, params = {} } = request;
      const meta = params["_meta"] as Json;
      const fault = envelopeFault(meta);
      if (fault) return refuse(400, id, new ProtocolError(INVALID_PARAMS, `Invalid _meta envelope for protocol revision ${MODERN}: ${fault.key}: ${fault.problem}`, { envelope: fault }));
      const claimed = meta[VERSION_KEY] as string;
      if (version !== undefined && version !== claimed) return refuse(400, id, mismatch(version, `the body names protocol version ${claimed}`));
      const named = trimmed(incoming.headers, "mcp-method");
      if (named !== undefined && named !== method) return refuse(400, id, mismatch(named, `the body names method ${method}`));
      if (claimed !== MODERN) return refuse(400, id, unsupported(claimed));
      const wrong = mismatchedHeaders(incoming.headers, version, named, method, params);
      if (wrong) return refuse(400, id, mismatch(...wrong));
      if (method === "subscriptions/listen") return listen(request);
      const undeclared = method === "tools/call" ? mismatchedParameters(runtime.manifest, params, incoming.headers) : undefined;
      if (undeclared) return refuse(400, id, mismatch(...undeclared));
      const refused = scopes([request]);
      if (refused) return refused;
      const known = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (!known?.modern) return refuse(404, id, new ProtocolError(METHOD_NOT_FOUND, "Method not found"));
      return new Reply(runtime, methods, incoming, caller, true).answer([request], false);
    }

    /** The generations with a handshake. The server keeps no session, so each request is complete in itself. */
    function handshake(messages: readonly JsonRpcRequest[]): Answer | Promise<Answer> {
      const isFirst = messages.some(({ method, params }) => method === "initialize" && PARAMS["initialize"]?.(params));
      if (!isFirst && version !== undefined && !LEGACY.includes(version)) {
        return refuse(400, null, new ProtocolError(REFUSED, `Bad Request: Unsupported protocol version: ${version} (supported versions: ${LEGACY.join(", ")})`));
      }
      if (isFirst && messages.length > 1) return refuse(400, null, new ProtocolError(INVALID_REQUEST, "Invalid Request: Only one initialization request is allowed"));
      const refused = scopes(messages);
      if (refused) return refused;
      if (messages.length === 0) return new Answer(202, null);
      return new Reply(runtime, methods, incoming, caller, false).answer(messages, Array.isArray(read));
    }

    async function batch(parts: readonly unknown[]): Promise<Answer> {
      const refused = batchFault(parts);
      if (refused) return refuse(400, null, new ProtocolError(INVALID_REQUEST, refused));
      const requests = parts.filter(isRequest);
      for (const _ of requests.slice(1)) {
        const exceeded = await admit();
        if (exceeded) return exceeded;
      }
      return handshake(requests);
    }

    function notification({ method, params }: JsonRpcNotification): Answer | Promise<Answer> {
      if (!claimsVersion(params) && !isModern) return handshake([]);
      const claimed = claimsVersion(params) ? (params!["_meta"] as Json)[VERSION_KEY] : version;
      if (typeof claimed !== "string") return refuse(400, null, new ProtocolError(INVALID_PARAMS, `Invalid _meta envelope for protocol revision ${MODERN}: ${VERSION_KEY}: it must be a string`));
      if (version !== undefined && version !== claimed) return refuse(400, null, mismatch(version, `the body names protocol version ${claimed}`));
      const named = trimmed(incoming.headers, "mcp-method");
      if (claimed >= MODERN && named !== undefined && named !== method) return refuse(400, null, mismatch(named, `the body names method ${method}`));
      return claimed === MODERN ? new Answer(202, null) : refuse(400, null, unsupported(claimed));
    }

    /** No list ever changes: the server acknowledges that it will announce nothing, and ends the request. */
    function listen({ id, params }: JsonRpcRequest): Answer {
      if (PARAMS["subscriptions/listen"]?.(params) === false) {
        return new Answer(200, failed(id, INVALID_PARAMS, "Invalid params: 'notifications' is required and must be a valid SubscriptionFilter"), JSON_TYPE);
      }
      const _meta = { [SUBSCRIPTION_KEY]: id };
      const acknowledged = { jsonrpc: "2.0", method: "notifications/subscriptions/acknowledged", params: { notifications: {}, _meta } };
      const exchange = new Exchange({ signal: incoming.signal, caller, notify: async () => {}, waitUntil: () => {} }, true, { jsonrpc: "2.0", id, method: "" });
      return new Answer(200, eventOf(JSON.stringify(acknowledged)) + eventOf(success(runtime, exchange, { members: "", meta: _meta }, false)), EVENT_HEADERS);
    }
  };
}

/** The message or the batch in a text, or the reason why there is none. */
export function readMessage(text: string): unknown {
  if (isTooDeep(text)) return new ProtocolError(INVALID_REQUEST, `Invalid Request: nested deeper than ${DEEPEST} levels`);
  try {
    return JSON.parse(text);
  } catch {
    return new ProtocolError(PARSE_ERROR, "Parse error: Invalid JSON");
  }
}

/** The id for the answer to a malformed message. */
function idOf(message: unknown): Id | null {
  if (!isObject(message) || typeof message["method"] !== "string") return null;
  return typeof message["id"] === "string" || typeof message["id"] === "number" ? message["id"] : null;
}

function unsupported(requested: string): ProtocolError {
  return new ProtocolError(UNSUPPORTED_VERSION, `Unsupported protocol version: ${requested}`, { supported: [MODERN], requested });
}

export function refuseWith(runtime: Runtime, status: number, id: Id | null, { code, message, data }: ProtocolError): Answer {
  // It may quote the request, and logs are billed by length.
  runtime.log("warn", "request rejected", { reason: message.slice(0, LONGEST_REASON) });
  return new Answer(status, failed(id, code, message, data), JSON_TYPE);
}

export function mismatch(header: string, body: string): ProtocolError {
  return new ProtocolError(HEADER_MISMATCH, `Bad Request: the request headers and body disagree: ${body}`, { mismatch: { header, body } });
}

/** Some clients write `null` for a member that they leave out. */
export function withoutNull(message: unknown): unknown {
  if (!isObject(message)) return message;
  const { params } = message;
  if (params === null) {
    const { params: _, ...rest } = message;
    return rest;
  }
  if (!isObject(params) || params["arguments"] !== null) return message;
  const { arguments: _, ...rest } = params;
  return { ...message, params: rest };
}

// ---- the envelope of 2026-07-28 ----

const metaOf = (params: Json | undefined): Json | undefined => (isObject(params?.["_meta"]) ? params["_meta"] : undefined);
const claimsVersion = (params: Json | undefined): boolean => Object.hasOwn(metaOf(params) ?? {}, VERSION_KEY);

function isValidClaim(params: Json | undefined): boolean {
  const meta = metaOf(params);
  return meta !== undefined && claimsVersion(params) && envelopeFault(meta) === undefined && (meta[VERSION_KEY] as string) >= MODERN;
}

function envelopeFault(meta: Json): { key: string; problem: string } | undefined {
  const wrong = (key: string) => ({ key, problem: Object.hasOwn(meta, key) ? "it has a wrong shape" : "missing" });
  if (typeof meta[VERSION_KEY] !== "string") return wrong(VERSION_KEY);
  if (!isCapabilities(meta[CAPABILITIES_KEY])) return wrong(CAPABILITIES_KEY);
  if (meta[CLIENT_INFO_KEY] !== undefined && !isClientInfo(meta[CLIENT_INFO_KEY])) return wrong(CLIENT_INFO_KEY);
  if (meta[LOG_LEVEL_KEY] !== undefined && !isLoggingLevel(meta[LOG_LEVEL_KEY])) return wrong(LOG_LEVEL_KEY);
  if (meta["progressToken"] !== undefined && !isProgressToken(meta["progressToken"])) return wrong("progressToken");
  return undefined;
}

function batchFault(parts: readonly unknown[]): string | undefined {
  if (parts.length === 0) return "Bad Request: empty JSON-RPC batch";
  if (parts.some((part) => isObject(part) && claimsVersion(isObject(part["params"]) ? part["params"] : undefined))) {
    return `Bad Request: JSON-RPC batches may not contain requests for protocol revision ${MODERN} or later`;
  }
  if (!parts.every((part) => isRequest(part) || isNotification(part) || isResponse(part))) return "Bad Request: JSON-RPC batch contains an invalid message";
  return parts.length > MOST_IN_BATCH ? `Invalid Request: Batch must not exceed ${MOST_IN_BATCH} messages` : undefined;
}

/** Counted in the text, because some platforms hang on parsing it. */
export function isTooDeep(text: string): boolean {
  if (text.length < 2 * DEEPEST) return false;
  let depth = 0;
  let isString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isString) {
      if (code === 92) at += 1;
      else if (code === 34) isString = false;
    } else if (code === 34) {
      isString = true;
    } else if (code === 91 || code === 123) {
      depth += 1;
      if (depth > DEEPEST) return true;
    } else if (code === 93 || code === 125) {
      depth -= 1;
    }
  }
  return false;
}

/** All scopes that a token needs for this request, if the caller's token lacks one. */
export function lackingScopes({ manifest }: Runtime, auth: Auth | undefined, caller: Caller | undefined, { method, params }: JsonRpcRequest): readonly string[] | undefined {
  const scopes = method === "tools/call" && auth?.lacking ? byName(manifest.tools, params?.["name"])?.scopes : undefined;
  return scopes && auth?.lacking?.(caller, scopes);
}

// ---- the answer ----

const JSON_TYPE = { "content-type": "application/json" };
const EVENT_HEADERS = { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" };
const KEEP_ALIVE = ": keepalive\n\n";

const eventOf = (message: string): string => `event: message\ndata: ${message}\n\n`;

/** How a client takes an answer: as events if there are any before the result, always as events, or never. */
type Takes = "either" | "events" | "json";

function takesEvents({ headers }: Incoming, isModern: boolean): Takes {
  const accept = headers.get("accept") ?? "";
  const takesJson = accept.includes("application/json");
  if (accept.includes("text/event-stream")) return isModern && takesJson ? "either" : "events";
  return takesJson ? "json" : "either";
}

/** The answer to one request or to a batch: as a whole, or as a stream as soon as there is a message before the end. */
class Reply implements Carrier {
  readonly signal: AbortSignal;
  readonly caller: Caller | undefined;
  readonly #runtime: Runtime;
  readonly #methods: Methods;
  readonly #incoming: Incoming;
  readonly #isModern: boolean;
  readonly #takes: Takes;
  readonly #answered = Promise.withResolvers<Answer>();
  #stream: EventStream | undefined;

  constructor(runtime: Runtime, methods: Methods, incoming: Incoming, caller: Caller | undefined, isModern: boolean) {
    this.signal = incoming.signal;
    this.caller = caller;
    this.#runtime = runtime;
    this.#methods = methods;
    this.#incoming = incoming;
    this.#isModern = isModern;
    this.#takes = takesEvents(incoming, isModern);
  }

  answer(requests: readonly JsonRpcRequest[], isBatch: boolean): Promise<Answer> {
    const silence = this.#takes === "json" ? undefined : setInterval(() => this.#say(KEEP_ALIVE), SILENCE_MS);
    void Promise.all(requests.map((request) => answerOf(this.#runtime, this.#methods, new Exchange(this, this.#isModern, request)))).then((answers) => {
      clearInterval(silence);
      this.#finish(answers, isBatch);
    });
    return this.#answered.promise;
  }

  async notify(message: JsonRpcNotification): Promise<void> {
    this.#say(eventOf(JSON.stringify(message)));
    await this.#stream?.room();
  }

  waitUntil(promise: Promise<unknown>): void {
    this.#incoming.waitUntil(promise);
  }

  /** Opens the stream, if the client takes one, and sends an event. */
  #say(event: string): void {
    if (this.#takes === "json") return;
    if (!this.#stream) {
      this.#stream = new EventStream(() => this.#incoming.cancel());
      this.#answered.resolve(new Answer(200, this.#stream, EVENT_HEADERS));
    }
    this.#stream.write(event);
  }

  #finish(answers: readonly Answered[], isBatch: boolean): void {
    if (this.#stream || this.#takes === "events") {
      const events = answers.map(({ text }) => eventOf(text)).join("");
      if (!this.#stream) return this.#answered.resolve(new Answer(200, events, EVENT_HEADERS));
      this.#stream.write(events);
      return this.#stream.end();
    }
    const status = this.#isModern && answers[0]?.code === MISSING_CAPABILITY ? 400 : 200;
    const text = isBatch ? `[${answers.map((answer) => answer.text).join(",")}]` : (answers[0]?.text ?? "");
    this.#answered.resolve(new Answer(status, text, JSON_TYPE));
  }
}

interface Answered {
  readonly text: string;
  /** The code of an error. */
  readonly code?: number;
}

/** Never fails: an error outside of the protocol is logged and masked. */
export async function answerOf(runtime: Runtime, methods: Methods, exchange: Exchange): Promise<Answered> {
  const { id, isModern } = exchange;
  try {
    const method = Object.hasOwn(methods, exchange.method) ? methods[exchange.method] : undefined;
    if (!method?.[isModern ? "modern" : "legacy"]) throw new ProtocolError(METHOD_NOT_FOUND, "Method not found");
    return { text: success(runtime, exchange, await answerTo(method, exchange), method.isKept ?? false) };
  } catch (error) {
    // A client that has left, or cancelled, is not an error of the server.
    if (!(error instanceof ProtocolError) && !exchange.carrier.signal.aborted) runtime.log("error", "request failed", { method: exchange.method, error });
    const { code, message, data } = error instanceof ProtocolError ? error : new ProtocolError(INTERNAL_ERROR, "internal error");
    return { text: failed(id, code, message, data), code };
  }
}
