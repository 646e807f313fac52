import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { TestContext } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { JWTPayload } from "jose";
import type { OAuthOptions } from "../../templates/runtime/oauth.ts";
import { oauth } from "../../templates/runtime/oauth.ts";
import type { Json } from "../../templates/runtime/protocol.ts";
import { ask, callOf, serverOf } from "./support/ask.ts";
import { manifest } from "./support/fixture.ts";

const ISSUER = "https://issuer.example";
const { privateKey, publicKey } = await generateKeyPair("ES256");
const other = await generateKeyPair("ES256");
const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" };
const plainFetch = globalThis.fetch;
after(() => void (globalThis.fetch = plainFetch));

/** What the issuer answers, until it is changed; and how often it was asked. */
const issuer = { keys: [jwk] as unknown[], status: 200, asked: 0, reset: () => Object.assign(issuer, { keys: [jwk], status: 200, asked: 0 }) };
globalThis.fetch = (async (url: string) => {
  issuer.asked += 1;
  if (issuer.status !== 200) return new Response("", { status: issuer.status });
  if (url.includes("openid-configuration")) return Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` });
  return Response.json({ keys: issuer.keys });
}) as typeof fetch;

const OPTIONS: OAuthOptions = { issuers: [ISSUER], audience: ["https://mcp.example/mcp", "second"], scopes: [] };

const claims = { iss: ISSUER, sub: "ann", aud: "second" };
const sign = (payload: Json, kid = "one", key = privateKey, expires = "5m") => {
  const token = new SignJWT(payload as JWTPayload).setProtectedHeader({ alg: "ES256", kid });
  return (expires === "" ? token : token.setExpirationTime(expires)).sign(key);
};

function serverWith(options: Partial<OAuthOptions> = {}) {
  const server = serverOf({ manifest: { ...manifest, tools: [{ ...manifest.tools[0]!, scopes: ["write"] }, ...manifest.tools.slice(1)] }, auth: oauth({ ...OPTIONS, ...options }) });
  return async (token: string | undefined, name = "open", args: Json = {}) => {
    const { status, headers, messages } = await ask(server, callOf(true, "tools/call", { name, arguments: args }, token === undefined ? {} : { authorization: `Bearer ${token}` }));
    return { status, challenge: headers["www-authenticate"] ?? "", messages };
  };
}

test("audiences, clients and scopes as real issuers write them", async () => {
  issuer.reset();
  const call = serverWith({ clientIds: ["client"], scopes: ["read"] });
  const scope = { scope: "read other" };
  const good: Json[] = [
    scope, { ...scope, aud: ["x", "second"] }, { ...scope, aud: "https://mcp.example/mcp" }, { ...scope, aud: "client" }, { ...scope, aud: ["client"] },
    { ...scope, aud: undefined, client_id: "client", token_use: "access" }, { scope: ["other", "read"] }, { scp: "read" }, { scp: ["read"] },
  ];
  for (const payload of good) assert.equal((await call(await sign({ ...claims, ...payload }))).status, 200, JSON.stringify(payload));
  const bad: Json[] = [
    { ...scope, aud: "x" }, { ...scope, aud: [] }, { ...scope, aud: undefined }, { ...scope, aud: undefined, client_id: "client" }, { ...scope, aud: undefined, client_id: "client", token_use: "id" }, { ...scope, aud: "client", token_use: "id" }, { ...scope, aud: undefined, client_id: ["client"], token_use: "access" },
    { ...scope, sub: undefined }, { ...scope, sub: "" }, { ...scope, sub: ["ann"] }, { ...scope, sub: 5 }, { ...scope, iss: "https://evil.example" }, { ...scope, iss: undefined }, { ...scope, iss: [ISSUER] },
  ];
  for (const payload of bad) {
    const { status, challenge } = await call(await sign({ ...claims, ...payload }));
    assert.equal(status, 401, JSON.stringify(payload));
    assert.match(challenge, /^Bearer error="invalid_token"/);
  }
  for (const payload of [{ scope: "reader" }, { scope: "" }, {}, { scope: { read: true } }, { scope: ["reader"] }, { scope: "other", scp: "read" }]) {
    const { status, challenge } = await call(await sign({ ...claims, ...payload }));
    assert.equal(status, 403, JSON.stringify(payload));
    assert.match(challenge, /error="insufficient_scope".*scope="read"$/);
  }
});

test("a tool's scopes are asked for together with those of every call", async () => {
  issuer.reset();
  const call = serverWith({ scopes: ["read"] });
  const args = { text: "a" };
  assert.match((await call(await sign({ ...claims, scope: "read" }), "echo", args)).challenge, /scope="read write"$/);
  assert.equal((await call(await sign({ ...claims, scope: "read write" }), "echo", args)).status, 200);
});

test("malformed, expired and foreign tokens are refused, and no header says what they do", async () => {
  issuer.reset();
  const call = serverWith();
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const good = await sign(claims);
  const evil = 'x"\r\nset-cookie: a=b';
  const bad = [
    undefined, "x", "a.b.c", "..", `${good}x`, good.slice(0, -3), `${part({ alg: "none" })}.${part({ ...claims, exp: 9e9 })}.`, `${part({ alg: "HS256", kid: "one" })}.${part({ ...claims, exp: 9e9 })}.AAAA`,
    await sign(claims, "one", other.privateKey), await sign(claims, "one", privateKey, "-1h"), await sign(claims, "one", privateKey, ""), await sign({ ...claims, nbf: 9e9 }), await sign(claims, evil), await sign({ ...claims, iss: evil }), await sign({ ...claims, aud: evil }),
    `${part({ alg: evil })}.${part(claims)}.AAAA`, `${part({ alg: "ES256", crit: [evil], [evil]: 1, kid: "one" })}.${part(claims)}.AAAA`, `${part({ alg: "ES256", jku: "https://evil.example" })}.${part({ ...claims, sub: evil })}.AAAA`,
  ];
  for (const token of bad) {
    const { status, challenge, messages } = await call(token);
    assert.equal(status, 401, token);
    assert.match(challenge, /^Bearer (error="invalid_token", error_description="[a-z ,:]+", )?resource_metadata="http:\/\/localhost\/.well-known\/oauth-protected-resource\/mcp"$/, challenge);
    assert.doesNotMatch(JSON.stringify(messages), /cookie/);
  }
  assert.equal((await call(good)).status, 200);
});

test("a key that is unknown locks nobody out", async (t: TestContext) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  t.mock.method(console, "error", () => {});
  issuer.reset();
  const call = serverWith();
  const good = await sign(claims, "one", privateKey, "2h");
  const unknown = await sign(claims, "two", privateKey, "2h");
  assert.equal((await call(good)).status, 200);
  const asked = issuer.asked;
  for (let turn = 0; turn < 20; turn++) assert.equal((await call(unknown)).status, 401);
  assert.equal(issuer.asked, asked, "the issuer is left alone");
  issuer.status = 500;
  t.mock.timers.tick(31_000);
  assert.equal((await call(unknown)).status, 401);
  assert.equal((await call(good)).status, 200);
  for (const keys of [[], "none", [1, null], [{ kid: "one" }]]) {
    Object.assign(issuer, { status: 200, keys });
    t.mock.timers.tick(11 * 60_000);
    assert.equal((await call(good)).status, 200, JSON.stringify(keys));
  }
  issuer.keys = [{ ...jwk, kid: "two" }];
  t.mock.timers.tick(11 * 60_000);
  assert.deepEqual([(await call(unknown)).status, (await call(good)).status], [200, 401], "a new set takes the place of the old one");
});

test("a malformed key spoils no other", async () => {
  issuer.reset();
  issuer.keys = [null, 1, "x", {}, { kty: 5 }, { kty: "RSA", kid: "bad" }, { kty: "EC", kid: "worse", crv: "P-256", x: "!", y: "" }, { kty: "EC", crv: "none" }, { kty: "unknown", kid: "one" }, jwk];
  const call = serverWith();
  assert.equal((await call(await sign(claims))).status, 200);
  for (const kid of ["bad", "worse", "none"]) assert.equal((await call(await sign(claims, kid))).status, 401);
});

test("an issuer that cannot be reached is not a fault of the token", async (t: TestContext) => {
  const log = t.mock.method(console, "error", () => {});
  issuer.reset();
  issuer.status = 500;
  const call = serverWith();
  const { status, challenge } = await call(await sign(claims));
  assert.deepEqual([status, challenge], [503, ""]);
  const asked = issuer.asked;
  await call(await sign(claims));
  assert.equal(issuer.asked, asked);
  assert.match(String(log.mock.calls[0]?.arguments[0]), /status 500/);
});

test("the page for clients is at both of its addresses", async () => {
  const server = serverOf({ auth: oauth({ ...OPTIONS, scopes: ["read"] }) });
  for (const target of ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]) {
    const { status, messages } = await ask(server, { target, method: "GET" });
    assert.deepEqual([status, messages[0]], [200, { resource: "https://mcp.example/mcp", authorization_servers: [ISSUER], scopes_supported: ["read"], bearer_methods_supported: ["header"], resource_name: "Fixture" }]);
    assert.equal((await ask(server, { target, method: "GET", headers: { host: "evil.example" } })).status, 403);
  }
});
