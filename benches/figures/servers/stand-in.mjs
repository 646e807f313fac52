// What a server with oauth, state and limits talks to: an issuer's keys, and a table that says yes. Its first line is a
// token.
import { createServer } from "node:http";

const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const jwk = { ...(await crypto.subtle.exportKey("jwk", publicKey)), kid: "figures", alg: "ES256", use: "sig" };
const port = Number(process.env.PORT);
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const exp = Math.floor(Date.now() / 1000) + 86_400;
const signed = `${encoded({ alg: "ES256", kid: "figures", typ: "JWT" })}.${encoded({ iss: `http://127.0.0.1:${port}`, sub: "ann", aud: "figures", exp })}`;
const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, Buffer.from(signed));

createServer((request, response) => {
  request.resume();
  response.setHeader("content-type", "application/json");
  response.end(request.url === "/jwks" ? JSON.stringify({ keys: [jwk] }) : "{}");
}).listen(port, "127.0.0.1", () => console.log(`${signed}.${Buffer.from(signature).toString("base64url")}`));
