// Vercel's package, which brings the SDK's second generation.
import { createMcpHandler } from "mcp-handler";
import { serve } from "./serve.mjs";
import { annotations, description, inputSchema, outputSchema, run } from "./weather.mjs";

const handler = createMcpHandler(
  (server) => void server.registerTool("get_weather", { title: "Get weather", description, inputSchema, outputSchema, annotations }, run),
  { serverInfo: { name: "weather", version: "0.1.0" } },
);
serve(handler);
