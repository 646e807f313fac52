import { tool } from "../generated/mcp.ts";

export default tool("list_counters", async ({ cursor }, ctx) => {
  const page = await ctx.state.list<number>({ limit: 100, ...(cursor !== undefined && { cursor }) });
  return { counters: page.entries.map(({ key: name, value }) => ({ name, value })), ...(page.cursor !== undefined && { cursor: page.cursor }) };
});
