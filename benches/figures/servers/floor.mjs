// The floor: the least that Node.js can do between its start and an answer to `tools/list`.
import { createServer } from "node:http";

const tools = [{ name: "get_weather", description: "Get the current weather for a location.", inputSchema: { type: "object" } }];

createServer((request, response) => {
  if (request.url === "/health") return void response.end('{"status":"ok"}');
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    const { id } = JSON.parse(body);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result: { tools } }));
  });
}).listen(Number(process.env.PORT), "127.0.0.1");
