// node lists-v1.mjs URL: the same with the first generation of the SDK.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "e2e", version: "0.0.0" });
const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]));
await client.connect(transport);
await client.ping();
const { tools } = await client.listTools();
const { prompts } = await client.listPrompts();
const { resourceTemplates } = await client.listResourceTemplates();
console.log(JSON.stringify([transport.protocolVersion, ...[...tools, ...prompts, ...resourceTemplates].map(({ name }) => name)]));
await client.close();
