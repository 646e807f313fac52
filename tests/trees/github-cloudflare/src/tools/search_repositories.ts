import { tool } from "../generated/mcp.ts";
import { github, type Repository } from "../github.ts";

export default tool("search_repositories", async ({ query, sort, limit }, ctx) => {
  const search = new URLSearchParams({ q: query, per_page: `${limit}`, ...(sort !== "best-match" && { sort }) });
  const response = await github(`/search/repositories?${search}`, ctx);
  if (!response) throw new Error("GitHub has no search");
  const { total_count: total, items } = (await response.json()) as { total_count: number; items: Repository[] };
  const repositories = items.map(({ full_name: name, description, stargazers_count: stars, language, html_url: url }) => (
    { name, description, stars, language, url, resource: `github://${name}` }
  ));
  return { total, repositories };
});
