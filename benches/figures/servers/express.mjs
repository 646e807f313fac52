// The usual hand-written server: Express and the SDK's first generation, unbundled. It offers what the weather example
// offers, and serves it statelessly as the SDK's own examples do: a server and a transport for every request.
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import express from "express";
import { z } from "zod";

function build() {
  const server = new McpServer({ name: "weather", version: "0.1.0" });
  const units = z.enum(["celsius", "fahrenheit"]);
  server.registerTool(
    "get_weather",
    {
      title: "Get weather",
      description: "Get the current weather for a location.",
      inputSchema: { location: z.string().min(1).describe("City name"), units: units.default("celsius").describe("Unit of the temperature") },
      outputSchema: { location: z.string(), temperature: z.number(), units, conditions: z.string() },
      annotations: { readOnlyHint: true, idempotentHint: true },
    },
    async ({ location, units }) => {
      const structuredContent = { location, temperature: 22, units, conditions: "clear" };
      return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
    },
  );
  server.registerResource(
    "forecast",
    new ResourceTemplate("weather://{city}/forecast", { list: undefined }),
    { title: "Forecast", description: "The weather in a city over the next three days.", mimeType: "text/plain" },
    async (uri, { city }) => ({ contents: [{ uri: uri.href, text: `${city}: 22 °C, clear` }] }),
  );
  server.registerPrompt(
    "plan_trip",
    { title: "Plan a trip", description: "Asks for a packing list that fits the weather.", argsSchema: { city: z.string(), days: z.string().optional() } },
    ({ city }) => ({ messages: [{ role: "user", content: { type: "text", text: `I am going to ${city}.` } }] }),
  );
  return server;
}

const app = express();
app.use(express.json());
app.get("/health", (_request, response) => void response.json({ status: "ok" }));
app.post("/mcp", async (request, response) => {
  const server = build();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on("close", () => {
    transport.close();
    server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
app.listen(Number(process.env.PORT), "127.0.0.1");
