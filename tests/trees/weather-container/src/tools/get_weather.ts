import { weatherOf } from "../climate.ts";
import { tool, ToolError } from "../generated/mcp.ts";

export default tool("get_weather", async ({ location, units }, ctx) => {
  if (!location.trim()) throw new ToolError("location must name a city");
  await ctx.progress(1, 2, `asking about ${location}`);
  const { celsius, conditions } = weatherOf(location);
  ctx.log("info", "weather looked up", { location });
  const temperature = units === "celsius" ? celsius : celsius * 1.8 + 32;
  return { location, temperature, units, conditions };
});
