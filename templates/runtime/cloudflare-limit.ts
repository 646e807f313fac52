// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The rate limit on Cloudflare: the platform counts in each of its locations separately, and nearly exactly.
import type { Variables } from "./env.ts";
import type { Counting } from "./rate-limit.ts";

interface RateLimitBinding {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

export function inCloudflare(variables: Variables): Counting {
  const binding = variables["MCP_RATE_LIMIT"] as RateLimitBinding | undefined;
  return {
    async counter(key) {
      if (!binding) throw new Error("the Worker has no binding MCP_RATE_LIMIT");
      return (await binding.limit({ key })).success;
    },
    // The edge replaces any header of this name that a client sends.
    addressOf: (headers) => headers.get("cf-connecting-ip"),
  };
}
