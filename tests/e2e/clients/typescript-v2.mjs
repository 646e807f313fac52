// node typescript-v2.mjs URL ERA, where ERA is `default`, `auto` or a version to insist on.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { session } from "./typescript.mjs";

const [url, era] = process.argv.slice(2);
const modes = { default: {}, auto: { versionNegotiation: { mode: "auto" } } };
const client = new Client({ name: "e2e", version: "0.0.0" }, modes[era] ?? { versionNegotiation: { mode: { pin: era } } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const seen = await session(client, (call, options) => client.callTool(call, options));
console.log(JSON.stringify({ protocol: client.getNegotiatedProtocolVersion(), ...seen }));
await client.close();
