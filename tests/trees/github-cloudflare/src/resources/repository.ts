import { resource } from "../generated/mcp.ts";
import { github, type Repository } from "../github.ts";

export default resource("repository", async ({ owner, repo }, ctx) => {
  // The variables come from the client: `..` would lead to another part of the API.
  if (![owner, repo].every((name) => /^(?!\.+$)[\w.-]+$/.test(name))) return undefined;
  const path = `/repos/${owner}/${repo}`;
  const [found, readme] = await Promise.all([github(path, ctx), github(`${path}/readme`, ctx, "application/vnd.github.raw+json")]);
  if (!found) return undefined;
  const { full_name, description, stargazers_count, language, html_url, license, pushed_at } = (await found.json()) as Repository;
  const facts = [language, `${stargazers_count} stars`, license?.name, `last push ${pushed_at.slice(0, 10)}`].filter(Boolean).join(", ");
  const about = [`# ${full_name}`, description, facts, html_url, "---", readme ? await readme.text() : "It has no README."];
  return `${about.filter(Boolean).join("\n\n").trimEnd()}\n`;
});
