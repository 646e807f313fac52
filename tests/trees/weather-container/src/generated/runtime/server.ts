// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The whole server, the same on every platform: what comes before the protocol, and the parts that this server needs.
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
  /**
   * Host names that the platform gives the server; `*.` means any subdomain. The server adds loopback and `[access]
   * hosts`.
   */
  readonly hosts: readonly string[];
  /** The platform's name for this version of the server, as in its logs and its console. */
  readonly deployment?: string | undefined;
  /** Handlers that could not be imported earlier. */
  readonly broken?: readonly Broken[] | undefined;
  /** Opens a WebSocket for an admitted request, if the platform has them. */
  readonly upgrade?: ((incoming: Incoming, caller: Caller | undefined) => Promise<Answer | Response>) | undefined;
}

/** The parts of a server. A bundle does not contain the ones that are absent here. */
export interface Parts {
  readonly manifest: Manifest;
  readonly handlers: Handlers;
  readonly auth?: Auth | undefined;
  readonly limit?: Limiter | undefined;
  readonly state?: ((ctx: ToolContext, of: StateOf, input: Json) => ToolContext & { readonly state: State }) | undefined;
  /** Replaces the server's own endpoint: an adapter of the platform. */
  readonly endpoint?: ((core: Core, auth: Auth | undefined) => Endpoint) | undefined;
}

/** Who may call. */
export interface Auth {
  /** The caller, or the answer that refuses it. */
  readonly authenticate: (incoming: Incoming, core: Core) => Promise<Caller | Answer>;
  /** If a tool needs scopes that the caller lacks: all scopes that a token for it needs. */
  readonly lacking?: (caller: Caller | undefined, ofTool: readonly string[]) => readonly string[] | undefined;
  /** The answer to a caller that lacks scopes. */
  readonly refuse?: (incoming: Incoming, needed: readonly string[]) => Answer;
  /** Whether the credentials that opened a session are still valid. */
  readonly isStillGood: (caller: Caller, core: Core) => boolean;
  /** When they expire, in milliseconds since 1970; `undefined`: unknown. */
  readonly endOf?: (caller: Caller) => number;
  /** Pages beside the endpoint; `undefined`: there is no such page. */
  readonly page?: (path: string, incoming: Incoming, core: Core) => Answer | undefined;
}

/** Counts a call. Returns the answer that refuses a call above the limit. */
export type Limiter = (incoming: Pick<Incoming, "headers">, caller: Caller | undefined, core: Core) => Promise<Answer | undefined>;

/** What the parts get. */
export interface Core extends Runtime {
  readonly variables: Variables;
}

export interface Server {
  readonly parts: Parts;
  /** Never fails. */
  answer(incoming: Incoming): Promise<Answer | Response>;
  /** Imports every handler independently, for a platform that has time for it before the first request. */
  load(): Promise<void>;
  /** Whether the import of a requested handler failed: JavaScript keeps such a failure for the life of the process. */
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
    // Without credentials one learns how many are broken, but not which.
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

  /** Before the body is read: a refused caller costs next to nothing. */
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

/** Says only that there is a server, its version and its protocol versions. */
function health({ server }: Manifest, { method }: Incoming, { deployment, upgrade }: Platform, broken: number | readonly string[] | false): Answer {
  if (method !== "GET" && method !== "HEAD") return refusal(405, REFUSED, "method not allowed", { allow: "GET, HEAD" });
  const answer = json(200, {
    status: "ok", name: server.name, version: server.version, protocolVersions: [MODERN, ...LEGACY], ...(deployment && { deployment }), ...(upgrade && { websocket: true }), ...(broken !== false && { broken }),
  });
  return method === "HEAD" ? headOf(answer) : answer;
}

const notFound = (path: string): Answer => new Answer(404, path === "/" ? `Not Found: this server answers at ${ENDPOINT}\n` : "Not Found\n", { "content-type": "text/plain;charset=UTF-8" });

/** By the media type without its parameters. */
const isJson = (contentType: string | null | undefined): boolean => contentType === "application/json" || contentType?.split(";")[0]?.trim().toLowerCase() === "application/json";

/** A page that rebinds its own name to our address still sends that name. */
function checkHost(incoming: Incoming, allowed: readonly string[]): Answer | undefined {
  const host = hostOf(incoming);
  if (allowed.some((name) => (name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name))) return undefined;
  return refusal(403, REFUSED, `host "${host}" is not allowed: add it to [access] hosts in mcp.toml`);
}

/** The name without its port. Any other form stays whole, and so matches nothing. */
function hostOf({ headers }: Incoming): string {
  const host = (headers.get("host") ?? "").toLowerCase();
  return /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d+)?$/.exec(host)?.[1] ?? `(${host})`;
}

/** Programs send no Origin; a page always sends its own. */
function checkOrigin(incoming: Incoming, origins: readonly string[]): Answer | undefined {
  const origin = incoming.headers.get("origin") ?? undefined;
  if (origin === undefined || mayRead(incoming, origins)) return undefined;
  return refusal(403, REFUSED, `origin "${origin}" is not allowed: add it to [access] origins in mcp.toml`);
}

/** Whether a page may read the answer: one that mcp.toml names, or one on this machine if the server is here, too. */
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
  // Echoed, because a tool may read parameters from headers of any name (`mcp-param-…`).
  const asked = headers.get("access-control-request-headers") ?? "content-type, mcp-protocol-version, mcp-method, mcp-name";
  return new Answer(204, null, { "access-control-allow-methods": "POST", "access-control-allow-headers": asked, "access-control-max-age": "86400" });
}
