// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// API keys: the secret MCP_API_KEYS has the name of each caller and the hash of its key.
import type { Caller } from "./context.ts";
import { REFUSED } from "./protocol.ts";
import { refusal } from "./http.ts";
import type { Answer } from "./http.ts";
import type { Auth, Core } from "./server.ts";

type Keys = readonly (readonly [name: string, hash: Uint8Array])[];

/** A caller, and what a session needs to know whether its key is still valid. */
export interface KeyHolder extends Caller {
  readonly hash: string;
}

export function apiKeys(): Auth {
  let keys: Keys | undefined;
  return {
    async authenticate({ headers }, core) {
      const key = /^bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? headers.get("x-api-key");
      if (!key) return refuse(core, "an API key is needed");
      keys ??= readKeys(core);
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
      let caller: string | undefined;
      // All keys are compared, each in constant time, so that the time tells nothing about any of them.
      for (const [name, known] of keys) if (timingSafeEqual(known, hash)) caller = name;
      if (caller === undefined) return refuse(core, "the API key is not valid", "invalid_token");
      // The key itself goes no further than this.
      return { id: caller, scopes: [], hash: hash.join() } satisfies KeyHolder;
    },
    // Revoking a key ends its sessions.
    isStillGood: (caller, core) => readKeys(core).some(([, hash]) => hash.join() === (caller as KeyHolder).hash),
  };
}

/** The platform's own function: workerd has it in WebCrypto, Node.js in its crypto module. */
const timingSafeEqual: (a: Uint8Array, b: Uint8Array) => boolean =
  "timingSafeEqual" in crypto.subtle
    ? (a, b) => (crypto.subtle as unknown as { timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean }).timingSafeEqual(a, b)
    : (a, b) => process.getBuiltinModule("node:crypto").timingSafeEqual(a, b);

function readKeys({ env }: Core): Keys {
  let listed: unknown;
  try {
    listed = JSON.parse(env["MCP_API_KEYS"] ?? "");
  } catch (error) {
    // The parser's message would quote the secret.
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (typeof listed !== "object" || listed === null) throw new Error("the secret MCP_API_KEYS is not a JSON object");
  return Object.entries(listed).map(([name, hash]) => {
    if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash)) throw new Error(`MCP_API_KEYS has no SHA-256 for ${JSON.stringify(name)}`);
    return [name, Uint8Array.from(hash.match(/../g) ?? [], (byte) => parseInt(byte, 16))];
  });
}

function refuse({ manifest }: Core, message: string, error?: string): Answer {
  const challenge = `Bearer realm="${manifest.server.name}"${error ? `, error="${error}"` : ""}`;
  return refusal(401, REFUSED, message, { "www-authenticate": challenge });
}
