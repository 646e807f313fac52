"""python python.py URL MODE, where MODE is `auto` or `legacy`: one session with the weather example."""

import asyncio
import json
import sys

from mcp import Client
from mcp.types import ResourceTemplateReference


async def main(url: str, mode: str) -> None:
    progress = []

    async def on_progress(done, total, message):
        progress.append({"progress": int(done), "total": int(total), "message": message})

    async with Client(url, mode=mode) as client:
        tools = (await client.list_tools()).tools
        answer = await client.call_tool("get_weather", {"location": "Oslo"}, progress_callback=on_progress)
        templates = (await client.list_resource_templates()).resource_templates
        resources = (await client.list_resources()).resources
        contents = (await client.read_resource("weather://Oslo/forecast")).contents
        prompts = (await client.list_prompts()).prompts
        messages = (await client.get_prompt("plan_trip", {"city": "Oslo"})).messages
        city = ResourceTemplateReference(type="ref/resource", uri="weather://{city}/forecast")
        completion = (await client.complete(city, {"name": "city", "value": "lo"})).completion
        seen = {
            "protocol": client.protocol_version,
            "server": f"{client.server_info.name} {client.server_info.version}",
            "tools": [tool.name for tool in tools],
            "answer": answer.structured_content,
            "progress": progress,
            "templates": [template.uri_template for template in templates],
            "resources": len(resources),
            "resource": [{"uri": str(part.uri), "mimeType": part.mime_type, "text": part.text} for part in contents],
            "prompts": [prompt.name for prompt in prompts],
            "prompt": [message.content.text for message in messages],
            "completion": completion.values,
        }
        print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
