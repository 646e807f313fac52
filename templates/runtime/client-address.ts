// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Who calls a server that is reached directly, or through a proxy that names the client in a header.
import type { IncomingMessage } from "node:http";

/**
 * `header`: the name in small letters. Each proxy adds to the end of a list, so the last entry is of the nearest one,
 * and all before it may be the client's invention.
 */
export function clientAddress({ headers, socket }: Pick<IncomingMessage, "headers" | "socket">, header?: string): string {
  const value = header === undefined ? undefined : headers[header];
  const last = (Array.isArray(value) ? value.join(",") : value)?.split(",").at(-1)?.trim();
  return withoutPort(last || (socket.remoteAddress ?? ""));
}

/** Some proxies name the port too. A client has another one with each connection. */
function withoutPort(address: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(address)?.[1] ?? address;
}
