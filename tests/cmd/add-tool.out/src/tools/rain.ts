import { tool } from "../generated/mcp.ts";

// `input` has passed the schema in mcp.toml. A ToolError is the one error whose message the model sees.
export default tool("rain", async (input, ctx) => {
  ctx.log("debug", "called");
  return { amount: 0, units: "mm" };
});
