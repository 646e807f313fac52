// Runs one built Vercel function on this machine, the way the platform would:
//   node vercel-launcher.mjs FUNCTION_DIR PORT
// FUNCTION_DIR is `.vercel/output/functions/NAME.func` with the files of its `filePathMap` copied in.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";

const [directory, port] = process.argv.slice(2);
if (!directory || !port) {
  console.error("usage: node vercel-launcher.mjs FUNCTION_DIR PORT");
  process.exit(2);
}
const config = JSON.parse(readFileSync(join(directory, ".vc-config.json"), "utf8"));
// The platform starts functions in their own directory, as production, with these set.
process.chdir(resolve(directory));
Object.assign(process.env, { NODE_ENV: "production", VERCEL: "1", VERCEL_ENV: "production", NOW_REGION: "dev1", ...config.environment });

// Where functions find `waitUntil`: what `@vercel/functions` reads.
globalThis[Symbol.for("@vercel/request-context")] = { get: () => ({ waitUntil: (promise) => void Promise.resolve(promise).catch(console.error) }) };

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
const loaded = await import(pathToFileURL(resolve(config.handler)).href);
const serve = handlerOf(loaded);
if (!serve) {
  console.error(`${config.handler} exports no handler: expected { fetch }, GET/POST/… or a function (req, res)`);
  process.exit(1);
}

/** The shapes Vercel's Node runtime accepts. A default export may be wrapped once more by a bundler. */
function handlerOf(module) {
  const main = module.default?.default ?? module.default ?? module;
  if (typeof main?.fetch === "function") return web((request) => main.fetch(request));
  const named = METHODS.some((method) => typeof module[method] === "function") ? module : main;
  if (METHODS.some((method) => typeof named?.[method] === "function")) {
    return web((request) => {
      const method = request.method === "HEAD" && !named.HEAD ? "GET" : request.method;
      return named[method]?.(request) ?? new Response(null, { status: 405 });
    });
  }
  return typeof main === "function" ? main : undefined;
}

function web(handler) {
  return async (incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.once("close", () => outgoing.writableFinished || gone.abort());
    const headers = new Headers();
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) headers.append(incoming.rawHeaders[i], incoming.rawHeaders[i + 1]);
    // Whatever a client says of its address, the platform says who it is.
    for (const name of ["x-real-ip", "x-forwarded-for", "x-vercel-forwarded-for"]) headers.set(name, incoming.socket.remoteAddress);
    const body = incoming.method === "GET" || incoming.method === "HEAD" ? null : Readable.toWeb(incoming);
    const url = new URL(`http://${incoming.headers.host ?? "localhost"}`);
    const request = new Request(url.origin + incoming.url, { method: incoming.method, headers, body, duplex: "half", signal: gone.signal });
    const response = await handler(request);
    if (!incoming.complete) outgoing.setHeader("connection", "close");
    outgoing.statusCode = response.status;
    outgoing.setHeaders(response.headers);
    if (response.body) await pipeline(Readable.fromWeb(response.body), outgoing);
    else outgoing.end();
  };
}

createServer(async (incoming, outgoing) => {
  try {
    await serve(incoming, outgoing);
  } catch (error) {
    if (outgoing.destroyed) return; // the client is gone
    console.error(error);
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(500).end("FUNCTION_INVOCATION_FAILED\n");
  }
}).listen(Number(port), "127.0.0.1", () => console.error(`listening on http://127.0.0.1:${port}`));
