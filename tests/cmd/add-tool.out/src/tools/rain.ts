import { tool } from "../generated/mcp.ts";

// `input` is valid by the schema in mcp.toml. The model sees the message of a ToolError, and of no other error.
export default tool("rain", async (input, ctx) => {
  ctx.log("debug", "called");
  return { amount: 0, units: "mm" };
});
