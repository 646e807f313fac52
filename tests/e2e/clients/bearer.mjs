// node bearer.mjs URL VERSION, with the key or token in BEARER: what a caller gets through the official client.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, version] = process.argv.slice(2);
const mode = version < "2026" ? "legacy" : { pin: version };
const client = new Client({ name: "e2e", version: "0.0.0" }, { versionNegotiation: { mode } });
const requestInit = { headers: { authorization: `Bearer ${process.env.BEARER}` } };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
const { tools } = await client.listTools();
const { structuredContent } = await client.callTool({ name: "whoami", arguments: {} });
console.log(JSON.stringify({ tools: tools.map(({ name }) => name), caller: structuredContent }));
await client.close();
