// node typescript-v1.mjs URL
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { session } from "./typescript.mjs";

const client = new Client({ name: "e2e", version: "0.0.0" });
const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]));
await client.connect(transport);
const seen = await session(client, (call, options) => client.callTool(call, undefined, options));
console.log(JSON.stringify({ protocol: transport.protocolVersion, ...seen }));
await client.close();
