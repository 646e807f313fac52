// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Upstash Redis over its REST API: one command per request.

export class UpstashError extends Error {
  override readonly name = "UpstashError";
}

/**
 * One command, such as `upstash(["INCR", "visits"])`; returns Redis's answer. It is never sent twice: without an answer
 * it is unknown whether the command ran.
 */
export async function upstash<T>(command: readonly [string, ...(string | number)[]], signal: AbortSignal = AbortSignal.timeout(5000)): Promise<T> {
  const url = setting("UPSTASH_REDIS_REST_URL", "KV_REST_API_URL");
  const token = setting("UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN");
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(command),
    signal,
  });
  const text = await response.text();
  const { result, error } = parsed(text);
  if (!response.ok || error !== undefined) throw new UpstashError(`${command[0]}: ${error ?? `HTTP ${response.status}: ${text.slice(0, 500)}`}`);
  return result as T;
}

/** Under its own name, or under the one from Vercel's Marketplace. */
function setting(name: string, marketplace: string): string {
  const value = process.env[name] || process.env[marketplace];
  if (!value) throw new UpstashError(`the secret ${name} is not set`);
  return value;
}

function parsed(text: string): { result?: unknown; error?: string } {
  try {
    return JSON.parse(text) as { result?: unknown; error?: string };
  } catch {
    return { error: `no JSON: ${text.slice(0, 500)}` };
  }
}
