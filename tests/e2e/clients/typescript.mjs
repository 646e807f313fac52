// One session with the weather example, the same for both generations of the TypeScript client.
export async function session(client, callTool) {
  const progress = [];
  const onprogress = ({ progress: done, total, message }) => progress.push({ progress: done, total, message });
  const { tools } = await client.listTools();
  const { structuredContent: answer } = await callTool({ name: "get_weather", arguments: { location: "Oslo" } }, { onprogress });
  const { resourceTemplates } = await client.listResourceTemplates();
  const { resources } = await client.listResources();
  const { contents } = await client.readResource({ uri: "weather://Oslo/forecast" });
  const { prompts } = await client.listPrompts();
  const { messages } = await client.getPrompt({ name: "plan_trip", arguments: { city: "Oslo" } });
  const { completion } = await client.complete({
    ref: { type: "ref/resource", uri: "weather://{city}/forecast" },
    argument: { name: "city", value: "lo" },
  });
  const { name, version } = client.getServerVersion();
  return {
    server: `${name} ${version}`,
    tools: tools.map((tool) => tool.name),
    answer,
    progress,
    templates: resourceTemplates.map((template) => template.uriTemplate),
    resources: resources.length,
    resource: contents,
    prompts: prompts.map((prompt) => prompt.name),
    prompt: messages.map((message) => message.content.text),
    completion: completion.values,
  };
}
