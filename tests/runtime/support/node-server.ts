// The runtime's Node.js server in a separate process, on the port that is given; and with so many milliseconds after a
// signal, if they are given.
import { createServer } from "../../../templates/runtime/server.ts";
import { listen } from "../../../templates/runtime/node.ts";
import type { Incoming } from "../../../templates/runtime/http.ts";
import type { ToolContext } from "../../../templates/runtime/context.ts";
import type { Json } from "../../../templates/runtime/protocol.ts";
import { handlers, manifest, variables } from "./fixture.ts";

const tool = (name: string) => ({ name, inputSchema: { type: "object" }, timeoutMs: 10_000 });
const run = (handler: (input: Json, ctx: ToolContext) => unknown) => async () => ({ default: { run: handler } as never });
let begun = 0;
let stopped = 0;
let reading = 0;

const server = createServer({ variables: { ...variables, LOG_LEVEL: "debug" }, hosts: [] }, {
  manifest: { ...manifest, tools: [...manifest.tools, ...["forget", "flood", "wait", "soon", "memory"].map(tool)] },
  handlers: {
    ...handlers,
    tools: {
      ...handlers.tools,
      forget: run(() => {
        void Promise.reject(new Error("forgotten"));
        return "done";
      }),
      // As much as anybody takes.
      flood: run(async (_, ctx) => {
        begun += 1;
        ctx.signal.addEventListener("abort", () => (stopped += 1));
        for (let step = 1; !ctx.signal.aborted; step++) await ctx.progress(step, undefined, "x".repeat(64 * 1024));
      }),
      wait: run(async (_, ctx) => {
        begun += 1;
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        stopped += 1;
      }),
      soon: run(async () => {
        console.log("soon");
        await new Promise((resolve) => setTimeout(resolve, 700));
        return "in time";
      }),
      memory: run(() => {
        globalThis.gc?.();
        return { used: process.memoryUsage().heapUsed + process.memoryUsage().external, begun, stopped, reading };
      }),
    },
  },
  // As one that asks somebody else.
  limit: async (incoming) => {
    const request = incoming as Incoming;
    const read = request.read.bind(request);
    reading += 1;
    request.read = (limit) => read(limit).finally(() => (reading -= 1));
    if (incoming.headers.get("x-slow")) await new Promise((resolve) => setTimeout(resolve, 100));
    return undefined;
  },
});
const [, , port, graceMs] = process.argv;
listen(server, { port: Number(port), ...(graceMs !== undefined && { graceMs: Number(graceMs) }) });
