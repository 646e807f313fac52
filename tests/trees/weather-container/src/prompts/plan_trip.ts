import { CITIES } from "../climate.ts";
import { prompt } from "../generated/mcp.ts";

export default prompt(
  "plan_trip",
  ({ city, days }) => `I am going to ${city} for ${days} days. Look up the weather there and tell me what to pack.`,
  { complete: { city: (typed) => CITIES.filter((city) => city.toLowerCase().startsWith(typed.toLowerCase())) } },
);
