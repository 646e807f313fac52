// tmcp with its HTTP transport and its adapter for zod.
import { ZodJsonSchemaAdapter } from "@tmcp/adapter-zod";
import { HttpTransport } from "@tmcp/transport-http";
import { McpServer } from "tmcp";
import { serve } from "./serve.mjs";
import { annotations, description, inputSchema, outputSchema, run } from "./weather.mjs";

const server = new McpServer({ name: "weather", version: "0.1.0" }, { adapter: new ZodJsonSchemaAdapter(), capabilities: { tools: {} } });
server.tool({ name: "get_weather", title: "Get weather", description, schema: inputSchema, outputSchema, annotations }, run);
const transport = new HttpTransport(server);
serve(async (request) => (await transport.respond(request)) ?? new Response(null, { status: 404 }));
