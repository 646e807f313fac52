// The SDK's second generation, as its documentation has it: its web handler serves both generations, a server for each
// request.
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { serve } from "./serve.mjs";
import { annotations, description, inputSchema, outputSchema, run } from "./weather.mjs";

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "weather", version: "0.1.0" });
  server.registerTool("get_weather", { title: "Get weather", description, inputSchema, outputSchema, annotations }, run);
  return server;
});
serve((request) => handler.fetch(request));
