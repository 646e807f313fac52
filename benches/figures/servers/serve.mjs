// A web handler on `node:http`, for the peers that bring none: what they would get of an adapter.
import { createServer } from "node:http";

export function serve(handler) {
  createServer(async (incoming, outgoing) => {
    const parts = [];
    for await (const part of incoming) parts.push(part);
    const body = incoming.method === "POST" ? Buffer.concat(parts) : undefined;
    const request = new Request(`http://127.0.0.1${incoming.url}`, { method: incoming.method, headers: incoming.headers, body });
    const response = await handler(request);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body) for await (const part of response.body) outgoing.write(part);
    outgoing.end();
  }).listen(Number(process.env.PORT), "127.0.0.1");
}
