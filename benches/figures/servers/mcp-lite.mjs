// mcp-lite without sessions; it validates with zod what goes in and what comes out.
import { McpServer, StreamableHttpTransport } from "mcp-lite";
import { z } from "zod";
import { serve } from "./serve.mjs";
import { annotations, description, inputSchema, outputSchema, run } from "./weather.mjs";

const server = new McpServer({ name: "weather", version: "0.1.0", schemaAdapter: (schema) => z.toJSONSchema(schema) });
server.tool("get_weather", { title: "Get weather", description, inputSchema, outputSchema, annotations, handler: run });
serve(new StreamableHttpTransport().bind(server));
