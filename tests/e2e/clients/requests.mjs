// node requests.mjs URL REQUESTS: what the official client gets for each of them, in order. REQUESTS is JSON:
// `[["callTool", {…}], …]`.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, requests] = process.argv.slice(2);
const options = { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: "auto" } };
const client = new Client({ name: "e2e", version: "0.0.0" }, options);
client.setRequestHandler("elicitation/create", ({ params }) => {
  const yes = Object.entries(params.requestedSchema.properties).map(([name]) => [name, true]);
  return { action: "accept", content: Object.fromEntries(yes) };
});
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const answers = [];
for (const [method, params] of JSON.parse(requests)) {
  const progress = [];
  const onprogress = ({ progress: done, total, message }) => progress.push({ progress: done, total, message });
  answers.push({ result: await client[method](params, { onprogress }), progress });
}
console.log(JSON.stringify(answers));
await client.close();
