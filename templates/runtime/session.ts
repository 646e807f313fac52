// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// MCP over a WebSocket, for clients that speak it. Each connection has a Durable Object, which leaves the memory while
// the connection is silent (hibernation) and resumes later. The connection is the session: no other client can name it,
// and it ends with it.
/// <reference path="./workers.d.ts" />
import { DurableObject, exports } from "cloudflare:workers";
import { Channel } from "./channel.ts";
import type { Heard } from "./channel.ts";
import type { Caller } from "./context.ts";
import { readMessage, withoutNull } from "./endpoint.ts";
import { failed } from "./exchange.ts";
import { Answer, refusal } from "./http.ts";
import type { Incoming } from "./http.ts";
import { INVALID_REQUEST, ProtocolError, REFUSED } from "./protocol.ts";
import type { ClientCapabilities, Message } from "./protocol.ts";
import type { Server } from "./server.ts";
import { isNotification, isRequest, isResponse, PARAMS } from "./shapes.ts";

const SUBPROTOCOL = "mcp";
/** Otherwise a client that vanished would keep its object forever. */
const IDLE_MS = 24 * 60 * 60 * 1000;
const SILENT = "nothing was said for too long";
const NO_LONGER_GOOD = "the credentials are no longer valid";
/** Where the rate limit looks for the client's address. */
const ADDRESS = "cf-connecting-ip";
const OPENED_BY = "mcp-opened-by";

/** What the object learns about the request that opens a connection: the caller and the address, but no credentials. */
interface OpenedBy {
  readonly caller?: Caller | undefined;
  readonly address: string;
}

/** In the Worker: the object that takes the connection. The caller has been admitted. */
export async function upgrade({ headers }: Incoming, caller: Caller | undefined): Promise<Answer | Response> {
  const offered = headers.get("sec-websocket-protocol")?.split(",").map((name) => name.trim());
  if (!offered?.includes(SUBPROTOCOL)) return refusal(400, REFUSED, `the WebSocket subprotocol must be ${SUBPROTOCOL}`);
  const openedBy: OpenedBy = { caller, address: headers.get(ADDRESS) ?? "" };
  const { McpSession } = exports;
  const { webSocket } = await McpSession.get(McpSession.newUniqueId()).fetch("https://session/", {
    headers: { upgrade: "websocket", [OPENED_BY]: encodeURIComponent(JSON.stringify(openedBy)) },
  });
  return switching(webSocket, { "sec-websocket-protocol": SUBPROTOCOL });
}

const switching = (webSocket: HibernatingSocket, headers: Record<string, string> = {}) =>
  new Response(null, { status: 101, webSocket, headers } as ResponseInit);

/** What outlives the object's memory: it is stored with the connection. */
interface Kept extends OpenedBy {
  /** When the client last sent something. */
  at: number;
  heard: Heard;
}

/** The class of the objects. Each has a server for the messages of its connection. */
export function sessionClass(create: (variables: Readonly<Record<string, unknown>>) => Server) {
  return class extends DurableObject {
    readonly #server = create(this.env);
    #channel: Channel | undefined;

    async fetch(request: Request): Promise<Response> {
      const { 0: client, 1: socket } = new WebSocketPair();
      this.ctx.acceptWebSocket(socket);
      const openedBy = JSON.parse(decodeURIComponent(request.headers.get(OPENED_BY) ?? "")) as OpenedBy;
      const kept: Kept = { ...openedBy, at: Date.now(), heard: {} };
      socket.serializeAttachment(kept);
      await this.ctx.storage.setAlarm(endOf(kept, this.#server));
      return switching(client);
    }

    /** Settles when all work of the message is done: until then the object stays in memory. */
    async webSocketMessage(socket: HibernatingSocket, data: string | ArrayBuffer): Promise<void> {
      if (socket.readyState !== WebSocket.OPEN) return;
      try {
        await this.#receive(socket, data);
      } catch (error) {
        this.#server.core.log("error", "the session failed", { error });
        socket.close(1011, "internal error");
      }
    }

    async #receive(socket: HibernatingSocket, data: string | ArrayBuffer): Promise<void> {
      const { core, parts: { auth, limit } } = this.#server;
      const most = core.manifest.limits.maxBodyBytes;
      if (typeof data !== "string") return socket.close(1003, "messages must be text");
      if (isTooLong(data, most)) return socket.close(1009, `a message must not exceed ${most} bytes`);
      const { caller, address, heard } = socket.deserializeAttachment() as Kept;
      if (caller && auth && !auth.isStillGood(caller, core)) return socket.close(1008, NO_LONGER_GOOD);
      const message = read(data);
      if (typeof message === "string") return socket.send(message);
      // Each message counts like a POST; one without an answer is free.
      const headers = { get: (name: string) => (name === ADDRESS ? address : undefined) };
      const exceeded = isRequest(message) ? await limit?.({ headers }, caller, core) : undefined;
      if (exceeded && isRequest(message)) {
        const { error } = JSON.parse(exceeded.body as string) as { error: object };
        return socket.send(JSON.stringify({ jsonrpc: "2.0", id: message.id, error: { ...error, data: { retryAfter: Number(exceeded.headers["retry-after"]) } } }));
      }
      const channel = (this.#channel ??= new Channel(core, auth, socketOf(socket), caller, heard, (promise) => this.ctx.waitUntil(promise)));
      // Read again: simultaneous messages may have changed it.
      const kept = socket.deserializeAttachment() as Kept;
      kept.at = Date.now();
      listen(message, kept.heard);
      if (!keep(socket, kept)) return socket.close(1009, "the data about the client is too long for a session");
      channel.hear(kept.heard);
      await channel.receive(message);
    }

    async webSocketClose(socket: HibernatingSocket, code: number): Promise<void> {
      // Closes the connection in order. The codes 1005 and 1006 mean that there was no code.
      socket.close(code === 1005 || code === 1006 ? 1000 : code, "");
      await this.#end();
    }

    async webSocketError(): Promise<void> {
      await this.#end();
    }

    async alarm(): Promise<void> {
      for (const socket of this.ctx.getWebSockets()) {
        const kept = socket.deserializeAttachment() as Kept;
        if (Date.now() < endOf(kept, this.#server)) return this.ctx.storage.setAlarm(endOf(kept, this.#server));
        const { core, parts: { auth } } = this.#server;
        if (kept.caller && auth?.endOf && !auth.isStillGood(kept.caller, core)) socket.close(1008, NO_LONGER_GOOD);
        else socket.close(1001, SILENT);
      }
      await this.#end();
    }

    /** Cancels what still runs, and leaves nothing behind. */
    async #end(): Promise<void> {
      this.#channel?.end();
      await this.ctx.storage.deleteAll();
    }
  };
}

/** The end of the idle time or of the credentials, whichever is earlier. */
function endOf({ at, caller }: Kept, { parts: { auth } }: Server): number {
  return Math.min(at + IDLE_MS, (caller && auth?.endOf?.(caller)) ?? Infinity);
}

/** The message, or the answer to a malformed one. */
function read(text: string): Message | string {
  const message = withoutNull(readMessage(text));
  if (message instanceof ProtocolError) return failed(null, message.code, message.message);
  return isRequest(message) || isNotification(message) || isResponse(message) ? (message as Message) : failed(null, INVALID_REQUEST, "Invalid Request");
}

/** Remembers what a client says about itself, for the next object of this connection. */
function listen(message: Message, heard: Heard): void {
  // By name first: a client could send the name of a member that every object has.
  if (!isRequest(message) || (message.method !== "initialize" && message.method !== "logging/setLevel")) return;
  if (!PARAMS[message.method]?.(message.params)) return;
  if (message.method === "initialize") heard.capabilities = message.params?.["capabilities"] as ClientCapabilities;
  if (message.method === "logging/setLevel") heard.logLevel = message.params?.["level"] as Heard["logLevel"] & string;
}

const socketOf = (socket: HibernatingSocket) => ({
  get isOpen() {
    return socket.readyState === WebSocket.OPEN;
  },
  send: (text: string) => socket.send(text),
});

/** Whether there was room for it: an attachment has 16 KiB. */
function keep(socket: HibernatingSocket, kept: Kept): boolean {
  try {
    socket.serializeAttachment(kept);
    return true;
  } catch {
    return false;
  }
}

function isTooLong(data: string, limit: number): boolean {
  return data.length > limit || (data.length * 3 > limit && new TextEncoder().encode(data).length > limit);
}
