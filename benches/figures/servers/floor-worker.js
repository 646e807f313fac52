// The floor in workerd: the least that a Worker can do to answer `tools/list`.
const tools = [{ name: "get_weather", description: "Get the current weather for a location.", inputSchema: { type: "object" } }];

export default {
  async fetch(request) {
    if (request.method === "GET") return Response.json({ status: "ok" });
    const { id } = await request.json();
    return Response.json({ jsonrpc: "2.0", id, result: { tools } });
  },
};
