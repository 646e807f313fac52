// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// `adapter = "mcp-handler"`: Vercel's package speaks the protocol, with its telemetry and its wrappers. The handlers
// are the same. It brings the official SDK, which no other server contains.
import type { McpServer, ServerContext } from "@modelcontextprotocol/server";
import { createMcpHandler } from "mcp-handler";
import type { Caller } from "./context.ts";
import { lackingScopes, mismatch, readMessage, refuseWith } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { Exchange, serverInfo } from "./exchange.ts";
import type { Carrier } from "./exchange.ts";
import { mismatchedParameters } from "./headers.ts";
import type { Incoming } from "./http.ts";
import { answerTo, capabilitiesOf, createMethods } from "./methods.ts";
import type { Method } from "./methods.ts";
import { INTERNAL_ERROR, MODERN, ProtocolError, VERSION_KEY } from "./protocol.ts";
import type { Json, JsonRpcNotification } from "./protocol.ts";
import type { Auth, Core } from "./server.ts";
import { isObject, isRequest } from "./shapes.ts";

/** The carrier of a call, by the signal of its request, which is all that the SDK passes on. */
interface Bound {
  readonly incoming: Incoming;
  readonly caller: Caller | undefined;
}

export function mcpHandler(core: Core, auth: Auth | undefined): Endpoint {
  const { manifest } = core;
  const { cache, server } = manifest;
  const kept = { ttlMs: cache.ttlMs, cacheScope: cache.scope };
  const methods = createMethods(core);
  const bound = new WeakMap<Request, Bound>();
  const known = Object.entries(methods).filter(([name]) => name !== "initialize" && name !== "server/discover" && name !== "ping");
  const handler = createMcpHandler(
    (sdk: McpServer) => {
      for (const [name, method] of known) {
        sdk.server.setRequestHandler(name as "tools/call", ({ params }, context) => answerSdk(name, method, params, context, bound) as never);
      }
    },
    {
      capabilities: capabilitiesOf(manifest),
      serverInfo: serverInfo(manifest),
      ...(server.instructions && { instructions: server.instructions }),
      cacheHints: Object.fromEntries(Object.entries(methods).filter(([, { isKept }]) => isKept).map(([name]) => [name, kept])),
      onEvent: (event) => {
        if (event.type === "ERROR") core.log("warn", "request rejected", { reason: event.error instanceof Error ? event.error.message : event.error });
      },
    },
  );
  return async (incoming, body, caller, admit) => {
    const message = readMessage(new TextDecoder().decode(body));
    if (message instanceof ProtocolError) return refuseWith(core, 400, null, message);
    const requests = (Array.isArray(message) ? message : [message]).filter(isRequest);
    for (const request of requests) {
      const needed = auth?.refuse && lackingScopes(core, auth, caller, request);
      if (needed) return auth.refuse!(incoming, needed);
      const isModern = isObject(request.params?.["_meta"]) && request.params["_meta"][VERSION_KEY] === MODERN;
      const wrong = isModern && request.method === "tools/call" ? mismatchedParameters(manifest, request.params ?? {}, incoming.headers) : undefined;
      if (wrong) return refuseWith(core, 400, request.id, mismatch(...wrong));
    }
    for (const _ of requests.slice(1)) {
      const exceeded = await admit();
      if (exceeded) return exceeded;
    }
    // The credentials stay here: neither the SDK nor a handler sees them.
    const names = ["accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"];
    const headers = names.flatMap((name) => (incoming.headers.get(name) ? [[name, incoming.headers.get(name)!] as [string, string]] : []));
    const request = new Request(`https://${incoming.headers.get("host") ?? "localhost"}/mcp`, { method: "POST", headers, body: body as Uint8Array<ArrayBuffer>, signal: incoming.signal });
    bound.set(request, { incoming, caller });
    return handler(request);
  };
}

async function answerSdk(name: string, method: Method, params: unknown, { mcpReq, http }: ServerContext, bound: WeakMap<Request, Bound>): Promise<Json> {
  const found = http?.req && bound.get(http.req);
  if (!found) throw new ProtocolError(INTERNAL_ERROR, "the request of this call is not known");
  const { incoming, caller } = found;
  const carrier: Carrier = {
    signal: mcpReq.signal,
    caller,
    waitUntil: (promise) => incoming.waitUntil(promise),
    // The client may have left.
    notify: (message: JsonRpcNotification) => mcpReq.notify({ method: message.method, params: message.params } as never).catch(() => {}),
  };
  const envelope = mcpReq.envelope as Json | undefined;
  const { inputResponses } = mcpReq;
  const requestState = mcpReq.requestState<string>();
  const asked = { ...(params as Json), _meta: { ...mcpReq._meta, ...envelope }, ...(inputResponses && { inputResponses }), ...(requestState !== undefined && { requestState }) };
  const exchange = new Exchange(carrier, envelope !== undefined, { jsonrpc: "2.0", id: mcpReq.id, method: name, params: asked });
  const { members, meta } = await answerTo(method, exchange);
  return { ...(JSON.parse(`{${members}}`) as Json), ...(meta && { _meta: meta }) };
}
