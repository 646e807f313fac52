// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The whole server, the same on every platform: what stands in front of the protocol, and what is composed of the parts that this server needs.
import { importAll } from "./call.ts";
import type { Caller, Handlers, State, ToolContext } from "./context.ts";
import { createEndpoint } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { createLog, readEnv } from "./env.ts";
import type { Env, Variables } from "./env.ts";
import type { Broken, Runtime } from "./exchange.ts";
import { Answer, headOf, json, refusal } from "./http.ts";
import type { Incoming } from "./http.ts";
import type { Manifest, StateOf } from "./manifest.ts";
import { INTERNAL_ERROR, LEGACY, MODERN, REFUSED } from "./protocol.ts";
import type { Json } from "./protocol.ts";

/** What differs between platforms. */
export interface Platform {
  readonly variables: Variables;
  /** Host names that the platform gives the server; `*.` stands for any subdomain. Loopback and `[access] hosts` are added. */
  readonly hosts: readonly string[];
  /** The platform's name for this version of the server, as its logs and its console show it. */
  readonly deployment?: string | undefined;
  /** Handlers that were imported before, and could not be. */
  readonly broken?: readonly Broken[] | undefined;
  /** Opens a WebSocket, where the platform has them, for a request that may come in. */
  readonly upgrade?: ((incoming: Incoming, caller: Caller | undefined) => Promise<Answer | Response>) | undefined;
}

/** What a server is made of. What is left out here is in no bundle. */
export interface Parts {
  readonly manifest: Manifest;
  readonly handlers: Handlers;
  readonly auth?: Auth | undefined;
  readonly limit?: Limiter | undefined;
  readonly state?: ((ctx: ToolContext, of: StateOf, input: Json) => ToolContext & { readonly state: State }) | undefined;
  /** In place of the server's own: an adapter of the platform's. */
  readonly endpoint?: ((core: Core, auth: Auth | undefined) => Endpoint) | undefined;
}

/** Who may call. */
export interface Auth {
  /** Who is calling, or the answer to whoever may not. */
  readonly authenticate: (incoming: Incoming, core: Core) => Promise<Caller | Answer>;
  /** Whether a tool needs scopes that the caller has not: all that a token for it must grant. */
  readonly lacking?: (caller: Caller | undefined, ofTool: readonly string[]) => readonly string[] | undefined;
  /** The answer to whoever lacks them. */
  readonly refuse?: (incoming: Incoming, needed: readonly string[]) => Answer;
  /** Whether the credentials that opened a session are good still. */
  readonly isStillGood: (caller: Caller, core: Core) => boolean;
  /** Milliseconds since 1970 when they will be no more; `undefined`: nobody knows. */
  readonly endOf?: (caller: Caller) => number;
  /** Pages beside the endpoint; `undefined`: there is none of that path. */
  readonly page?: (path: string, incoming: Incoming, core: Core) => Answer | undefined;
}

/** Counts a call; the answer to one too many. */
export type Limiter = (incoming: Pick<Incoming, "headers">, caller: Caller | undefined, core: Core) => Promise<Answer | undefined>;

/** What parts are given. */
export interface Core extends Runtime {
  readonly variables: Variables;
}

export interface Server {
  readonly parts: Parts;
  /** Never fails. */
  answer(incoming: Incoming): Promise<Answer | Response>;
  /** Imports every handler, each with its own fate: for a platform that has time for it before the first request. */
  load(): Promise<void>;
  /** Whether a handler that was asked for could not be imported: JavaScript keeps that failure as long as this process lives. */
  hasFailed(): boolean;
  readonly core: Core;
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const ENDPOINT = "/mcp";

export function createServer(platform: Platform, parts: Parts): Server {
  const { manifest, handlers, auth, limit } = parts;
  const { access, limits } = manifest;
  const { variables } = platform;
  const env: Env = readEnv(manifest, variables);
  const log = createLog(manifest, env, variables);
  const broken = new Set<string>();
  let hasFailed = false;
  const note = ({ what, error }: Broken) => {
    broken.add(what);
    log("error", "a handler cannot be imported", { what, error });
  };
  const isBroken = (handler: Broken) => {
    hasFailed = true;
    note(handler);
  };
  const core: Core = { manifest, handlers, env, log, withState: parts.state, isBroken, variables };
  const endpoint = (parts.endpoint ?? createEndpoint)(core, auth);
  platform.broken?.forEach(note);
  const hosts = [...LOOPBACK, ...platform.hosts, ...access.hosts];

  async function route(incoming: Incoming): Promise<Answer | Response> {
    const [path = ""] = incoming.target.split("?", 1);
    // Who may not call learns how many are broken, and not which.
    if (path === "/health") return health(manifest, incoming, platform, broken.size > 0 && (auth ? broken.size : [...broken]));
    if (path !== ENDPOINT && path !== `${ENDPOINT}/`) {
      const page = auth?.page?.(path, incoming, core);
      return (page && checkHost(incoming, hosts)) ?? page ?? notFound(path);
    }
    const refused = checkHost(incoming, hosts) ?? checkOrigin(incoming, access.origins);
    if (refused) return refused;
    const response = incoming.method === "OPTIONS" && mayRead(incoming, access.origins) ? preflight(incoming) : await identified(incoming);
    return withCors(incoming, response, access.origins);
  }

  /** Before anything of the body is read: whoever may not call costs next to nothing. */
  async function identified(incoming: Incoming): Promise<Answer | Response> {
    const caller = await auth?.authenticate(incoming, core);
    return caller instanceof Answer ? caller : post(incoming, caller);
  }

  async function post(incoming: Incoming, caller: Caller | undefined): Promise<Answer | Response> {
    const { method, headers } = incoming;
    const admit = async () => limit?.(incoming, caller, core);
    if (platform.upgrade && method === "GET" && headers.get("upgrade")?.toLowerCase() === "websocket") {
      return (await admit()) ?? platform.upgrade(incoming, caller);
    }
    if (method !== "POST") return refusal(405, REFUSED, "method not allowed", { allow: "POST" });
    if (!isJson(headers.get("content-type"))) return refusal(415, REFUSED, "Content-Type must be application/json");
    const exceeded = limit && (await admit());
    if (exceeded) return exceeded;
    const body = await incoming.read(limits.maxBodyBytes);
    if (!body) return refusal(413, REFUSED, `the request body must not exceed ${limits.maxBodyBytes} bytes`);
    return endpoint(incoming, body, caller, admit);
  }

  return {
    core,
    parts,
    async answer(incoming) {
      try {
        return withOwn(await route(incoming));
      } catch (error) {
        if (!incoming.signal.aborted) core.log("error", "request failed", { error });
        return withOwn(refusal(500, INTERNAL_ERROR, "internal error"));
      }
    },
    load: async () => (await importAll(handlers)).forEach(note),
    hasFailed: () => hasFailed,
  };
}

/** The same answer with more headers. */
function withHeaders(answer: Answer | Response, headers: Record<string, string>): Answer | Response {
  if (answer instanceof Answer) return new Answer(answer.status, answer.body, { ...answer.headers, ...headers });
  for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
  return answer;
}

const withOwn = (answer: Answer | Response): Answer | Response =>
  withHeaders(answer, { "cache-control": "no-store, no-transform", "x-content-type-options": "nosniff" });

/** Says no more than whether there is a server, of what version, and what it speaks. */
function health({ server }: Manifest, { method }: Incoming, { deployment, upgrade }: Platform, broken: number | readonly string[] | false): Answer {
  if (method !== "GET" && method !== "HEAD") return refusal(405, REFUSED, "method not allowed", { allow: "GET, HEAD" });
  const answer = json(200, {
    status: "ok", name: server.name, version: server.version, protocolVersions: [MODERN, ...LEGACY], ...(deployment && { deployment }), ...(upgrade && { websocket: true }), ...(broken !== false && { broken }),
  });
  return method === "HEAD" ? headOf(answer) : answer;
}

const notFound = (path: string): Answer => new Answer(404, path === "/" ? `Not Found: this server answers at ${ENDPOINT}\n` : "Not Found\n", { "content-type": "text/plain;charset=UTF-8" });

/** By its media type, whatever its parameters. */
const isJson = (contentType: string | null | undefined): boolean => contentType === "application/json" || contentType?.split(";")[0]?.trim().toLowerCase() === "application/json";

/** A page that rebinds its own name to our address still sends that name. */
function checkHost(incoming: Incoming, allowed: readonly string[]): Answer | undefined {
  const host = hostOf(incoming);
  if (allowed.some((name) => (name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name))) return undefined;
  return refusal(403, REFUSED, `host "${host}" is not allowed: add it to [access] hosts in mcp.toml`);
}

/** The name without its port. Of anything else than a name and a port all is kept, and so matches nothing. */
function hostOf({ headers }: Incoming): string {
  const host = (headers.get("host") ?? "").toLowerCase();
  return /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d+)?$/.exec(host)?.[1] ?? `(${host})`;
}

/** Programs send no Origin; a page cannot help sending its own. */
function checkOrigin(incoming: Incoming, origins: readonly string[]): Answer | undefined {
  const origin = incoming.headers.get("origin") ?? undefined;
  if (origin === undefined || mayRead(incoming, origins)) return undefined;
  return refusal(403, REFUSED, `origin "${origin}" is not allowed: add it to [access] origins in mcp.toml`);
}

/** Whether the page that asks may read the answer: one that mcp.toml names, or one on this machine where the server is, too. */
function mayRead(incoming: Incoming, origins: readonly string[]): boolean {
  const origin = incoming.headers.get("origin") ?? undefined;
  if (origin === undefined) return false;
  if (origins.includes(origin) || origins.includes("*")) return true;
  return URL.canParse(origin) && LOOPBACK.includes(new URL(origin).hostname) && LOOPBACK.includes(hostOf(incoming));
}

function withCors(incoming: Incoming, answer: Answer | Response, origins: readonly string[]): Answer | Response {
  const origin = incoming.headers.get("origin") ?? undefined;
  if (origin === undefined || !mayRead(incoming, origins)) return answer;
  return withHeaders(answer, {
    "access-control-allow-origin": origins.includes("*") ? "*" : origin,
    "access-control-expose-headers": "mcp-protocol-version, www-authenticate, retry-after",
    vary: "Origin",
  });
}

function preflight({ headers }: Incoming): Answer {
  // Echoed: a tool may read parameters from headers of any name (`mcp-param-…`).
  const asked = headers.get("access-control-request-headers") ?? "content-type, mcp-protocol-version, mcp-method, mcp-name";
  return new Answer(204, null, { "access-control-allow-methods": "POST", "access-control-allow-headers": asked, "access-control-max-age": "86400" });
}
