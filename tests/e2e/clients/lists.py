"""python lists.py URL MODE, where MODE is `auto` or `legacy`: a client that connects and lists, but calls nothing."""

import asyncio
import json
import sys

from mcp import Client


async def main(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        tools = (await client.list_tools()).tools
        prompts = (await client.list_prompts()).prompts
        templates = (await client.list_resource_templates()).resource_templates
        names = [entry.name for entry in [*tools, *prompts, *templates]]
        print(json.dumps([client.protocol_version, *names]))


asyncio.run(main(*sys.argv[1:]))
