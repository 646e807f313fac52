import { prompt } from "../generated/mcp.ts";

// A string becomes one message of the user. For several messages return an array of { role, content }.
export default prompt("explain", async (args) => `A prompt about ${JSON.stringify(args)}.`);
