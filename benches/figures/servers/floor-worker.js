// The floor in workerd: the least that a Worker can do to answer `tools/list`.
const tools = [{ name: "get_weather", description: "Get the current weather for a location.", inputSchema: { type: "object" } }];

export default {
  async fetch(request) {
    const { id } = await request.json();
    return Response.json({ jsonrpc: "2.0", id, result: { tools } });
  },
};
