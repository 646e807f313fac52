// node lists.mjs URL ERA, where ERA is `default` or `auto`: a client that connects and looks around, but calls nothing.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, era] = process.argv.slice(2);
const client = new Client({ name: "e2e", version: "0.0.0" }, era === "auto" ? { versionNegotiation: { mode: "auto" } } : {});
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const { tools } = await client.listTools();
const { prompts } = await client.listPrompts();
const { resourceTemplates } = await client.listResourceTemplates();
console.log(JSON.stringify([client.getNegotiatedProtocolVersion(), ...[...tools, ...prompts, ...resourceTemplates].map(({ name }) => name)]));
await client.close();
