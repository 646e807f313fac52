// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// OAuth 2.1: access tokens (JWT) of authorization servers, and the page that names these servers to clients (RFC 9728).
import { createLocalJWKSet, decodeJwt, errors, jwtVerify } from "jose";
import type { JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from "jose";
import type { Caller } from "./context.ts";
import { Answer, headOf, json, refusal } from "./http.ts";
import type { Incoming } from "./http.ts";
import type { Manifest } from "./manifest.ts";
import { REFUSED } from "./protocol.ts";
import type { Auth, Core } from "./server.ts";
import { isObject } from "./shapes.ts";

export interface OAuthOptions {
  readonly issuers: readonly string[];
  /** A token's `aud` must contain one of these. */
  readonly audience: readonly string[];
  /** Clients whose tokens are valid though their audience is only the client. */
  readonly clientIds?: readonly string[];
  /** Every call needs all of these; a tool may need more. */
  readonly scopes: readonly string[];
  /** The address of the keys, for a single issuer; by default the issuer's metadata has it. */
  readonly jwksUri?: string | undefined;
}

/** Without algorithms of shared secrets: whoever can check such a signature can also make one. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];

/** A caller, and when its token expires, in milliseconds since 1970. */
interface TokenHolder extends Caller {
  readonly until: number;
}

export function oauth(options: OAuthOptions): Auth {
  const keys = new Map(options.issuers.map((issuer) => [issuer, keysOf(issuer, options.jwksUri)]));
  const { scopes } = options;
  return {
    async authenticate(incoming, core) {
      const token = /^bearer +(\S+)$/i.exec(incoming.headers.get("authorization") ?? "")?.[1];
      if (!token) return refuse(incoming, 401, "an access token is needed", scopes);
      try {
        const issuer = issuerOf(token);
        const known = keys.get(issuer) ?? localKeys(issuer, incoming, core, keys);
        if (!known) return refuse(incoming, 401, "the access token is of another issuer", scopes, "invalid_token");
        const { payload } = await jwtVerify(token, known, { issuer, algorithms: ALGORITHMS, requiredClaims: ["exp", "sub"], clockTolerance: 5 });
        if (typeof payload.sub !== "string" || payload.sub === "") return refuse(incoming, 401, "the access token names nobody", scopes, "invalid_token");
        if (!isForUs(payload, options)) return refuse(incoming, 401, "the access token is for another audience", scopes, "invalid_token");
        const granted = scopesOf(payload);
        if (!scopes.every((scope) => granted.includes(scope))) {
          return refuse(incoming, 403, `the access token needs the scopes ${scopes.join(" ")}`, scopes, "insufficient_scope");
        }
        // The token itself goes no further than this.
        return { id: `${issuer}#${payload.sub}`, scopes: granted, until: (payload.exp ?? 0) * 1000 } satisfies TokenHolder;
      } catch (error) {
        if (error instanceof Unreachable) {
          core.log("error", "the keys of the authorization server cannot be read", { error: error.message });
          return refuse(incoming, 503, "access tokens cannot be checked at the moment", scopes);
        }
        return refuse(incoming, 401, `the access token is not valid: ${reasonOf(error)}`, scopes, "invalid_token");
      }
    },
    // Named together: a new token must also grant what every call needs.
    lacking(caller, ofTool) {
      const needed = [...new Set([...scopes, ...ofTool])];
      return needed.every((scope) => caller?.scopes.includes(scope)) ? undefined : needed;
    },
    refuse(incoming, needed) {
      const body = { error: "insufficient_scope", error_description: "Insufficient scope" };
      return json(403, body, { "www-authenticate": challenge(incoming, needed, "insufficient_scope", "Insufficient scope") });
    },
    isStillGood: (caller) => Date.now() < (caller as TokenHolder).until,
    endOf: (caller) => (caller as TokenHolder).until,
    page: (path, incoming, core) => (METADATA.test(path) ? metadata(incoming, options, core.manifest) : undefined),
  };
}

/** Fixed words: a header must not repeat what a token says. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed) return ["exp", "nbf", "iat", "iss", "sub"].includes(error.claim) ? `its claim ${error.claim} is wrong or absent` : "a claim is wrong";
  if (error instanceof errors.JWKSNoMatchingKey) return "its key is not among those of the issuer";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) return "its algorithm is not supported";
  return "it cannot be read";
}

/** Unchecked: it only selects the keys for the check. */
function issuerOf(token: string): string {
  const { iss } = decodeJwt(token);
  return typeof iss === "string" ? iss : "";
}

const listOf = (value: unknown): string[] => (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");

/** Some servers put the client where the audience belongs, or in a separate claim (Amazon Cognito). */
function isForUs(payload: JWTPayload, { audience, clientIds = [] }: OAuthOptions): boolean {
  const { client_id: client, token_use: use } = payload;
  // Cognito's ID tokens name the client in `aud`; they do not authorise calls.
  if (use !== undefined && use !== "access") return false;
  const aud = listOf(payload.aud);
  if (aud.some((one) => audience.includes(one) || clientIds.includes(one))) return true;
  return use === "access" && typeof client === "string" && clientIds.includes(client);
}

/** `scope` as in RFC 9068 or as a list; `scp` as some servers write it. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
  return listOf(scope ?? scp).flatMap((one) => one.split(" ")).filter(Boolean);
}

// ---- the keys ----

class Unreachable extends Error {}

const PATIENCE_MS = 5_000;
const PAUSE_MS = 10_000;
const KEPT_MS = 10 * 60_000;
const AGAIN_MS = 30_000;

/**
 * Fetched on first use, then kept. Fetched again after ten minutes, or for an unknown key, at most every half minute. A
 * server that fails is left alone for a while; known keys stay valid meanwhile.
 */
function keysOf(issuer: string, jwksUri: string | undefined): JWTVerifyGetKey {
  let keys: JWTVerifyGetKey | undefined;
  let readAt = 0;
  let triedAt = 0;
  let failure = "";
  // Keeps the result, not the promise: in a Worker one request must not wait for another's fetch.
  async function read(): Promise<void> {
    triedAt = Date.now();
    try {
      keys = createLocalJWKSet(await fetchKeys(jwksUri ?? (await discover(issuer))));
      readAt = Date.now();
      failure = "";
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
  }
  return async (header, token) => {
    const now = Date.now();
    const isDue = now - readAt > KEPT_MS;
    if (isDue && (failure === "" || now - triedAt > PAUSE_MS)) await read();
    if (!keys) throw new Unreachable(failure === "" ? "the last attempt failed a moment ago" : failure);
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || Date.now() - triedAt < AGAIN_MS) throw error;
      await read();
      return await keys(header, token);
    }
  };
}

async function get(url: string): Promise<unknown> {
  const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (response.status !== 200) throw new Error(`${url} answers with status ${response.status}`);
  return response.json();
}

/** The usable keys: a malformed one does not affect the others. */
async function fetchKeys(url: string): Promise<JSONWebKeySet> {
  const set = await get(url);
  const keys = isObject(set) && Array.isArray(set["keys"]) ? set["keys"] : undefined;
  if (!keys) throw new Error(`${url} is not a JSON Web Key Set`);
  const usable = keys.filter((key) => isObject(key) && typeof key["kty"] === "string") as JSONWebKeySet["keys"];
  // Known keys stay valid: an empty set is more likely a fault than the end of all tokens.
  if (usable.length === 0) throw new Error(`${url} has no key that can be used`);
  return { keys: usable };
}

/** The `jwks_uri` of the issuer's metadata, at the path of OpenID Connect or of RFC 8414. */
async function discover(issuer: string): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  const urls = [`${origin}${path}/.well-known/openid-configuration`, `${origin}/.well-known/oauth-authorization-server${path}`];
  const failures: string[] = [];
  for (const url of urls) {
    const found = await get(url).catch((error: unknown) => void failures.push(String(error)));
    if (!isObject(found)) continue;
    const { issuer: named, jwks_uri } = found;
    if (named !== issuer) throw new Error(`${url} is the metadata of another issuer`);
    if (typeof jwks_uri === "string" && (jwks_uri.startsWith("https://") || issuer.startsWith("http://"))) return jwks_uri;
    throw new Error(`${url} has no jwks_uri with https`);
  }
  throw new Error(`${issuer} has no metadata: ${failures.join("; ")}`);
}

/**
 * `mcp-deploy` tests a build on the developer's machine with tokens from its own issuer; the same bundle is then
 * deployed. Three conditions keep that issuer out of the cloud, and each is enough: the variable is set only for the
 * local process, and mcp.toml cannot declare it; it must be an address on this machine, where nothing listens in a
 * cloud; and the request must be sent to such an address, which no cloud's router lets in.
 */
function localKeys(issuer: string, incoming: Incoming, { variables }: Core, keys: Map<string, JWTVerifyGetKey>): JWTVerifyGetKey | undefined {
  const url = variables["MCP_LOCAL_ISSUER"];
  if (url !== issuer || !/^http:\/\/127\.0\.0\.1:\d+$/.test(issuer) || !isLocal(incoming)) return undefined;
  const local = keys.get(`local ${issuer}`) ?? keysOf(issuer, undefined);
  keys.set(`local ${issuer}`, local);
  return local;
}

// ---- the page for clients ----

const hostOf = ({ headers }: Incoming) => headers.get("host") ?? "";
const isLocal = (incoming: Incoming) => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(hostOf(incoming));
/** As the client sees it. The host has been checked; behind a cloud's router the request's own URL may name another. */
const originOf = (incoming: Incoming) => `${isLocal(incoming) ? "http" : "https"}://${hostOf(incoming)}`;

/** Clients look first at the endpoint's path, then at the root. */
const METADATA = /^\/\.well-known\/oauth-protected-resource(\/mcp)?$/;

/** The document of RFC 9728. It is public. */
function metadata(incoming: Incoming, { issuers, audience, scopes }: OAuthOptions, { server, tools }: Manifest): Answer {
  const headers = { "access-control-allow-origin": "*", "access-control-allow-methods": "GET, HEAD", "access-control-allow-headers": "*" };
  if (incoming.method === "OPTIONS") return new Answer(204, null, headers);
  if (incoming.method !== "GET" && incoming.method !== "HEAD") return new Answer(405, null, { ...headers, allow: "GET, HEAD" });
  const supported = [...new Set([...scopes, ...tools.flatMap((tool) => tool.scopes ?? [])])];
  const document = {
    // An audience that is only a name means the server at the requested address.
    resource: audience.find((one) => /^https?:/.test(one)) ?? `${originOf(incoming)}/mcp`,
    authorization_servers: issuers,
    ...(supported.length > 0 && { scopes_supported: supported }),
    bearer_methods_supported: ["header"],
    resource_name: server.title ?? server.name,
  };
  const answer = json(200, document, headers);
  return incoming.method === "HEAD" ? headOf(answer) : answer;
}

function challenge(incoming: Incoming, scopes: readonly string[], error?: string, description?: string): string {
  const parts = [
    ...(error ? [`error="${error}"`, `error_description="${description}"`] : []),
    `resource_metadata="${originOf(incoming)}/.well-known/oauth-protected-resource/mcp"`,
    ...(scopes.length > 0 ? [`scope="${scopes.join(" ")}"`] : []),
  ];
  return `Bearer ${parts.join(", ")}`;
}

function refuse(incoming: Incoming, status: number, message: string, scopes: readonly string[], error?: string): Answer {
  const headers: Record<string, string> = status === 503 ? { "retry-after": "10" } : { "www-authenticate": challenge(incoming, scopes, error, message) };
  return refusal(status, REFUSED, message, headers);
}
