import { ToolError, type Context } from "./generated/mcp.ts";

/** The fields of a GitHub repository that this server uses. */
export interface Repository {
  full_name: string;
  description: string | null;
  stargazers_count: number;
  language: string | null;
  html_url: string;
  default_branch: string;
  pushed_at: string;
  license: { name: string } | null;
}

/** One GET of GitHub's REST API; `undefined` if the resource does not exist. */
export async function github(path: string, { env, signal }: Context, accept = "application/vnd.github+json"): Promise<Response | undefined> {
  const headers = new Headers({ accept, "user-agent": "weather", "x-github-api-version": "2022-11-28" });
  if (env.GITHUB_SEARCH_TOKEN) headers.set("authorization", `Bearer ${env.GITHUB_SEARCH_TOKEN}`);
  const response = await fetch(env.GITHUB_API_URL + path, { headers, signal });
  if (response.ok) return response;
  if (response.status === 404) return undefined;
  const wait = secondsToWait(response);
  if (wait !== undefined) {
    const advice = env.GITHUB_SEARCH_TOKEN ? "" : " (without a token GitHub allows few requests: set the secret GITHUB_SEARCH_TOKEN)";
    throw new ToolError(`GitHub's rate limit is reached: try again in ${wait} s${advice}`);
  }
  // 422: GitHub does not understand the query, and says why.
  if (response.status === 422) throw new ToolError(`GitHub refuses the request: ${await reason(response)}`);
  if (response.status >= 500) throw new ToolError(`GitHub has a problem (HTTP ${response.status}): try again later`);
  // Among them 401, for our token: the model can do nothing about it.
  throw new Error(`GitHub answered ${response.status}: ${await reason(response)}`);
}

/**
 * GitHub says how long to wait (`retry-after`) or when the limit is reset. A 429 without either means a minute. Any
 * other 403 is not about the rate limit.
 */
function secondsToWait({ status, headers }: Response): number | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const retryAfter = headers.get("retry-after");
  if (retryAfter !== null) return Number(retryAfter);
  if (headers.get("x-ratelimit-remaining") !== "0") return status === 429 ? 60 : undefined;
  return Math.max(1, Math.ceil(Number(headers.get("x-ratelimit-reset")) - Date.now() / 1000));
}

async function reason(response: Response): Promise<string> {
  const { message = "no reason given", errors = [] } = (await response.json().catch(() => ({}))) as { message?: string; errors?: { message?: string }[] };
  return [message, ...errors.flatMap((error) => error.message ?? [])].join(": ");
}
