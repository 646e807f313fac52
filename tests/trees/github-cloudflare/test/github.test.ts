import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { callTool, readResource } from "../src/generated/testing.ts";

// A stand-in for GitHub: each test says what it answers.
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const github = createServer((request, response) => answer(request, response));
const env = { GITHUB_API_URL: "" };
before(() => new Promise<void>((listening) => github.listen(0, "127.0.0.1", () => {
  env.GITHUB_API_URL = `http://127.0.0.1:${(github.address() as AddressInfo).port}`;
  listening();
})));
after(() => github.close());

function json(status: number, body: unknown, headers: Record<string, string> = {}): typeof answer {
  return (_, response) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

const mcp = {
  full_name: "octo/mcp", description: "A server", stargazers_count: 42, language: "Rust", html_url: "https://github.com/octo/mcp",
  default_branch: "main", pushed_at: "2026-11-01T12:00:00Z", license: { name: "MIT License" },
};

test("a search returns what a model can use", async () => {
  const asked: IncomingMessage[] = [];
  answer = (request, response) => {
    asked.push(request);
    json(200, { total_count: 7, incomplete_results: false, items: [mcp] })(request, response);
  };
  const { value } = await callTool("search_repositories", { query: "mcp language:rust", sort: "stars", limit: 1 }, { env: { ...env, GITHUB_SEARCH_TOKEN: "t0ken" } });
  const repository = { name: "octo/mcp", description: "A server", stars: 42, language: "Rust", url: mcp.html_url, resource: "github://octo/mcp" };
  assert.deepEqual(value, { total: 7, repositories: [repository] });
  assert.equal(asked[0]?.url, "/search/repositories?q=mcp+language%3Arust&per_page=1&sort=stars");
  assert.equal(asked[0]?.headers.authorization, "Bearer t0ken");
  await callTool("search_repositories", { query: "mcp" }, { env });
  assert.equal(asked[1]?.headers.authorization, undefined);
});

test("rate limits become advice", async () => {
  const search = () => callTool("search_repositories", { query: "mcp" }, { env });
  const reset = `${Math.ceil(Date.now() / 1000) + 100}`;
  answer = json(403, { message: "API rate limit exceeded" }, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset });
  await assert.rejects(search, /GitHub's rate limit is reached: try again in (100|99|101) s \(without a token/);
  answer = json(429, { message: "You have exceeded a secondary rate limit" }, { "retry-after": "30" });
  await assert.rejects(search, /try again in 30 s/);
  answer = json(403, { message: "Resource not accessible" });
  await assert.rejects(search, /^ToolError: internal error \(ref/);
});

test("a query that GitHub does not understand is explained", async () => {
  answer = json(422, { message: "Validation Failed", errors: [{ message: "The listed users cannot be searched", code: "invalid" }] });
  await assert.rejects(callTool("search_repositories", { query: "user:nobody" }, { env }), /Validation Failed: The listed users cannot be searched/);
});

test("a repository is read with its README", async () => {
  answer = (request, response) => {
    if (request.url === "/repos/octo/mcp") json(200, mcp)(request, response);
    else if (request.url === "/repos/octo/mcp/readme") response.end("Read me.\n");
    else json(404, { message: "Not Found" })(request, response);
  };
  const [contents] = await readResource("github://octo/mcp", { env });
  assert.equal((contents as { text: string }).text, "# octo/mcp\n\nA server\n\nRust, 42 stars, MIT License, last push 2026-11-01\n\nhttps://github.com/octo/mcp\n\n---\n\nRead me.\n");
  await assert.rejects(readResource("github://octo/other", { env }), { code: -32602 });
  answer = () => assert.fail("nothing is asked of GitHub");
  await assert.rejects(readResource("github://../user", { env }), { code: -32602 });
});
