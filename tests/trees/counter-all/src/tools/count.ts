import { tool } from "../generated/mcp.ts";

export default tool("count", async ({ name, by }, ctx) => {
  // Not `get` and then `set`: with two calls at the same time, one would be lost.
  const value = await ctx.state.update<number>(name, (before = 0) => before + by);
  return { name, value };
});
