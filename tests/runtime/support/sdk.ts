// The oracle: the official SDK with the same manifest and the same handlers, behind the runtime's own front. It is kept
// to be asked, never shipped.
import {
  createMcpHandler, createRequestStateCodec, fromJsonSchema, inputResponse, isInputRequiredResult, McpServer, ProtocolError, ResourceNotFoundError,
  ResourceTemplate, UriTemplate,
} from "@modelcontextprotocol/server";
import { CfWorkerJsonSchemaValidator } from "@modelcontextprotocol/server/validators/cf-worker";
import { ToolError } from "../../../templates/runtime/context.ts";
import type { Endpoint } from "../../../templates/runtime/endpoint.ts";
import { VERSION_KEY } from "../../../templates/runtime/protocol.ts";
import type { Json } from "../../../templates/runtime/protocol.ts";
import type { Core } from "../../../templates/runtime/server.ts";
import { STATE_KEY } from "./fixture.ts";

/* The SDK's types know each tool by its own; here all are alike. */
type Any = any;

const validator = new CfWorkerJsonSchemaValidator();
const schemaOf = (schema: Json): Any => fromJsonSchema(schema, validator);
const codec = createRequestStateCodec<Any>({ key: STATE_KEY, bind: (sdk) => `${sdk.mcpReq.method} ` });

export function sdkEndpoint(core: Core): Endpoint {
  const { manifest, handlers } = core;
  const { instructions, ...info } = manifest.server;
  const { ttlMs, scope: cacheScope } = manifest.cache;
  const kept = ["server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"];
  const fixed = { listChanged: false };
  const options: Any = {
    ...(instructions && { instructions }),
    capabilities: {
      ...(manifest.tools.length > 0 && { tools: fixed }), ...(manifest.resources.length > 0 && { resources: fixed }), ...(manifest.prompts.length > 0 && { prompts: fixed }),
      ...(manifest.prompts.length > 0 && { completions: {} }), logging: {},
    },
    cacheHints: Object.fromEntries(kept.map((name) => [name, { ttlMs, cacheScope }])),
    maxToolInputElements: manifest.limits.maxInputElements,
    jsonSchemaValidator: validator,
    requestState: { verify: (state: string, sdk: Any) => codec.verify(state, sdk) },
    inputRequired: { legacyShim: false },
  };
  const handler = createMcpHandler(() => {
    const server = new McpServer(info, options);
    register(server);
    return server;
  }, { maxRequestBodySize: manifest.limits.maxBodyBytes });

  function register(server: McpServer): void {
    for (const { name, inputSchema, outputSchema, timeoutMs: _, ...described } of manifest.tools) {
      const config = { ...described, inputSchema: schemaOf(inputSchema), ...(outputSchema && { outputSchema: schemaOf(outputSchema) }) };
      server.registerTool(name, config as Any, (async (input: Json, sdk: Any) => {
        try {
          const returned = await runs(handlers.tools[name], "run", withDefaults(inputSchema, input), contextOf(`tool ${name}`, sdk));
          if (returned === undefined) return { content: [] };
          if (isInputRequiredResult(returned) || Array.isArray((returned as Any).content)) return returned;
          const isObject = typeof returned === "object" && !Array.isArray(returned);
          const wrong = outputSchema && validator.getValidator(outputSchema)(returned);
          if (wrong && !wrong.valid) throw masked();
          const text = typeof returned === "string" ? returned : JSON.stringify(returned);
          return { content: [{ type: "text", text }], ...((outputSchema || isObject) && { structuredContent: returned }) };
        } catch (error) {
          return { content: [{ type: "text", text: (error as Error).message }], isError: true };
        }
      }) as Any);
    }
    for (const { name, uri, uriTemplate, ...config } of manifest.resources) {
      const read = async (address: URL, variables: Json, sdk: Any) => {
        const returned: Any = await runs(handlers.resources[name], "read", variables, contextOf(`resource ${name}`, sdk)).catch(asProtocol);
        if (returned === undefined) throw new ResourceNotFoundError(address.href);
        const known = { uri: address.href, ...(config.mimeType && { mimeType: config.mimeType }) };
        return { contents: (typeof returned === "string" ? [{ text: returned }] : returned).map((part: Json) => ({ ...known, ...part })) };
      };
      const list = async () => ({ resources: (((await runs(handlers.resources[name], "list")) ?? []) as Json[]).map((resource) => ({ name, ...resource })) });
      if (uri !== undefined) server.registerResource(name, uri, config as Any, ((address: URL, sdk: Any) => read(address, {}, sdk)) as Any);
      else server.registerResource(name, new ResourceTemplate(new Decoded(uriTemplate!) as Any, { list: list as Any }), config as Any, read as Any);
    }
    for (const { name, argsSchema = { type: "object" }, ...described } of manifest.prompts) {
      server.registerPrompt(name, { ...described, argsSchema: schemaOf(argsSchema) } as Any, (async (input: Json, sdk: Any) => {
        const returned: Any = await runs(handlers.prompts[name], "get", withDefaults(argsSchema, input), contextOf(`prompt ${name}`, sdk)).catch(asProtocol);
        return typeof returned === "string" ? { messages: [{ role: "user", content: { type: "text", text: returned } }] } : Array.isArray(returned) ? { messages: returned } : returned;
      }) as Any);
    }
    if (manifest.prompts.length > 0) server.server.setRequestHandler("completion/complete", (async ({ params: { ref, argument, context } }: Any) => {
      const entry = ref.type === "ref/prompt" ? manifest.prompts.find(({ name }) => name === ref.name) : manifest.resources.find(({ uri, uriTemplate }) => (uriTemplate ?? uri) === ref.uri);
      if (!entry) throw new ProtocolError(-32602, "there is nothing of that name to complete");
      const { complete = {} }: Any = (await (ref.type === "ref/prompt" ? handlers.prompts : handlers.resources)[entry.name]!()).default;
      const values = Object.hasOwn(complete, argument.name) ? await complete[argument.name](argument.value, { arguments: context?.arguments ?? {} }) : [];
      return { completion: { values: values.slice(0, 100), total: values.length, hasMore: values.length > 100 } };
    }) as Any);
    if (manifest.resources.length > 0) for (const name of ["resources/subscribe", "resources/unsubscribe"] as const) server.server.setRequestHandler(name, () => ({}));
  }

  return async (incoming, body) => {
    const names = ["accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region", "mcp-param-level"];
    const headers = names.flatMap((name) => (typeof incoming.headers.get(name) === "string" ? [[name, incoming.headers.get(name)!] as [string, string]] : []));
    return handler.fetch(new Request("http://localhost/mcp", { method: "POST", headers, body: body as Uint8Array<ArrayBuffer>, signal: incoming.signal }));
  };
}

const masked = () => new Error("internal error (ref REF)");

async function runs(load: Any, method: string, ...args: Any[]): Promise<Any> {
  try {
    const handler = (await load()).default;
    return await handler[method]?.(...args);
  } catch (error) {
    throw error instanceof ToolError ? error : masked();
  }
}

const asProtocol = (error: Error): never => {
  throw new ProtocolError(-32603, error.message);
};

function withDefaults({ properties = {} }: Any, input: Json = {}): Json {
  const defaults = Object.entries(properties).flatMap(([name, property]) => ("default" in (property as Json) ? [[name, (property as Json)["default"]]] : []));
  return { ...Object.fromEntries(defaults), ...input };
}

function contextOf(of: string, { mcpReq }: Any): Any {
  const { progressToken } = mcpReq._meta ?? {};
  return {
    progress: async (progress: number, total?: number, message?: string) => {
      const params = { progressToken, progress, ...(total !== undefined && { total }), ...(message !== undefined && { message }) };
      if (progressToken !== undefined) await mcpReq.notify({ method: "notifications/progress", params });
    },
    clientLog: (level: string, data: unknown) => mcpReq.log(level, data),
    ask(inputRequests: Json) {
      if (!(VERSION_KEY in (mcpReq.envelope ?? {}))) throw new ToolError("this needs an answer that this client cannot be asked for");
      return { resultType: "input_required", inputRequests };
    },
    accepted(key: string) {
      const answer: Any = inputResponse(mcpReq.inputResponses, key);
      if (answer.kind === "elicit") return answer.action === "accept" ? (answer.content ?? {}) : null;
      return answer.kind === "missing" ? undefined : mcpReq.inputResponses?.[key];
    },
    requestState() {
      const state = mcpReq.requestState();
      return state?.of === of ? state.value : undefined;
    },
  };
}

/**
 * Decoded variables, of which those of a query may be absent: both are promises of mcp.toml, and neither is the SDK's.
 */
class Decoded extends UriTemplate {
  override match(address: string): Any {
    const [, path, names] = /^([^?]*)\{\?([^{}*]*)\}$/.exec(this.toString()) ?? [];
    const [before = "", query] = path === undefined ? [address] : address.split(/\?(.*)/s);
    const found: Json | null = path === undefined ? super.match(before) : new UriTemplate(path).match(before);
    try {
      for (const pair of found && query ? query.split("&") : []) {
        const [name = "", value] = pair.split(/=(.*)/s);
        if (!names!.split(",").includes(name) || Object.hasOwn(found!, name) || value === undefined) return null;
        found![name] = value;
      }
      return found && Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Array.isArray(value) ? value.map(decodeURIComponent) : decodeURIComponent(value as string)]));
    } catch {
      return null;
    }
  }
}
