// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The methods of the protocol and their answers.
import { checkQuestions, remembered } from "./ask.ts";
import { imported, masked, protocolErrorOf, run, runOrFail } from "./call.ts";
import type { Call } from "./call.ts";
import { ToolError } from "./context.ts";
import type { Complete, Context, Listed, PromptHandler, ResourceHandler, ToolContext } from "./context.ts";
import { Exchange, outcomeOf, serverInfo } from "./exchange.ts";
import type { Outcome, Runtime } from "./exchange.ts";
import { byName, once } from "./manifest.ts";
import type { Manifest, PromptEntry, ResourceEntry, ToolEntry } from "./manifest.ts";
import { INTERNAL_ERROR, INVALID_PARAMS, LEGACY, MODERN, ProtocolError } from "./protocol.ts";
import type { InputRequiredResult, Json } from "./protocol.ts";
import { contentsOf, full, hasObjectRoot, isAsking, toJson, toolOutcome, wrapped } from "./results.ts";
import { checkOf, elementsIn, withDefaults } from "./schema.ts";
import { HANDSHAKE_PARAMS, PARAMS } from "./shapes.ts";
import { LONGEST, UriTemplate } from "./uri.ts";

export interface Method {
  /** The generations that have the method. */
  readonly modern: boolean;
  readonly legacy: boolean;
  /** Whether its result says how long clients may keep it. */
  readonly isKept?: boolean;
  readonly answer: (exchange: Exchange) => Outcome | Promise<Outcome>;
}

/** By name. A server without prompts has no methods for prompts, and so on. */
export type Methods = Readonly<Record<string, Method>>;

const EMPTY: Outcome = { members: "" };
const BOTH = { modern: true, legacy: true };
const HANDSHAKE = { modern: false, legacy: true };

export function createMethods(runtime: Runtime): Methods {
  const { manifest } = runtime;
  const { tools, prompts, resources } = manifest;
  const capabilities = capabilitiesOf(manifest);
  const { instructions } = manifest.server;
  const said = { capabilities, ...(instructions !== undefined && instructions !== "" && { instructions }) };
  const methods: Record<string, Method> = {
    ping: { ...HANDSHAKE, answer: () => EMPTY },
    initialize: {
      ...HANDSHAKE,
      answer({ params }) {
        const asked = params["protocolVersion"] as string;
        return outcomeOf({ protocolVersion: LEGACY.includes(asked) ? asked : LEGACY[0], serverInfo: serverInfo(manifest), ...said });
      },
    },
    "server/discover": { modern: true, legacy: false, isKept: true, answer: () => outcomeOf({ supportedVersions: [MODERN], ...said }) },
    // Without a session there is no place to remember it; a WebSocket remembers it itself.
    "logging/setLevel": { ...HANDSHAKE, answer: () => EMPTY },
  };
  if (tools.length > 0) {
    methods["tools/list"] = { ...BOTH, isKept: true, answer: ({ isModern }) => (isModern ? toolsListed : toolsForHandshake)(tools) };
    methods["tools/call"] = { ...BOTH, answer: (exchange) => callTool(runtime, exchange) };
  }
  if (prompts.length > 0) {
    methods["prompts/list"] = { ...BOTH, isKept: true, answer: () => promptsListed(prompts) };
    methods["prompts/get"] = { ...BOTH, answer: (exchange) => getPrompt(runtime, exchange) };
  }
  if (resources.length > 0) {
    methods["resources/list"] = { ...BOTH, isKept: true, answer: (exchange) => listResources(runtime, exchange) };
    methods["resources/templates/list"] = { ...BOTH, isKept: true, answer: () => templatesListed(resources) };
    methods["resources/read"] = { ...BOTH, isKept: true, answer: (exchange) => readResource(runtime, exchange) };
    // Not advertised, but older clients may ask. Resources never announce changes, so a subscription needs no work.
    methods["resources/subscribe"] = { ...HANDSHAKE, answer: () => EMPTY };
    methods["resources/unsubscribe"] = { ...HANDSHAKE, answer: () => EMPTY };
  }
  if ("completions" in capabilities) methods["completion/complete"] = { ...BOTH, answer: (exchange) => complete(runtime, exchange) };
  return methods;
}

/** The answer of a method, or an error of the protocol. The SDK's codes stand for parameters of a wrong shape. */
export async function answerTo(method: Method, exchange: Exchange): Promise<Outcome> {
  const { method: name, params, isModern } = exchange;
  if (PARAMS[name]?.(params) === false || (!isModern && HANDSHAKE_PARAMS[name]?.(params) === false)) {
    throw new ProtocolError(name === "tools/call" ? INVALID_PARAMS : INTERNAL_ERROR, `Invalid params for ${name}`);
  }
  return method.answer(exchange);
}

export function capabilitiesOf({ tools, prompts, resources }: Manifest): Json {
  // Lists change only with a deployment. A promise of more would hold connections open, and bill for them.
  const fixed = { listChanged: false };
  const completes = prompts.length > 0 || resources.some(({ uriTemplate }) => uriTemplate !== undefined);
  return {
    ...(tools.length > 0 && { tools: fixed }),
    ...(resources.length > 0 && { resources: fixed }),
    ...(prompts.length > 0 && { prompts: fixed }),
    ...(completes && { completions: {} }),
    logging: {},
  };
}

// ---- lists: serialised once ----

const toolsListed = once((tools: readonly ToolEntry[]) => outcomeOf({ tools: tools.map((tool) => toolListed(tool, false)) }));
const toolsForHandshake = once((tools: readonly ToolEntry[]) => outcomeOf({ tools: tools.map((tool) => toolListed(tool, true)) }));

function toolListed({ name, title, description, inputSchema, outputSchema, annotations, icons, _meta }: ToolEntry, wraps: boolean): Json {
  const output = outputSchema && (hasObjectRoot(outputSchema) ? { type: "object", ...outputSchema } : wraps ? wrapped(outputSchema) : outputSchema);
  return { name, title, description, inputSchema, outputSchema: output, annotations, icons, _meta };
}

const promptsListed = once((prompts: readonly PromptEntry[]) => outcomeOf({ prompts: prompts.map(promptListed) }));

function promptListed({ name, title, description, icons, _meta, argsSchema }: PromptEntry): Json {
  const properties = Object.entries((argsSchema?.["properties"] ?? {}) as Record<string, Json>);
  const required = (argsSchema?.["required"] ?? []) as string[];
  const args = properties.map(([key, property]) => ({ name: key, description: property["description"], required: required.includes(key) }));
  return { name, title, description, arguments: args, icons, _meta };
}

const templatesListed = once((resources: readonly ResourceEntry[]) => outcomeOf({ resourceTemplates: resources.filter(({ uriTemplate }) => uriTemplate !== undefined) }));
const fixedListed = once((resources: readonly ResourceEntry[]) => outcomeOf({ resources: resources.filter(({ uri }) => uri !== undefined) }));

/** Resources of the manifest, and those that the handlers of templates list. */
async function listResources(runtime: Runtime, exchange: Exchange): Promise<Outcome> {
  const { resources, limits } = runtime.manifest;
  const fixed = fixedListed(resources);
  const more: Json[] = [];
  for (const { uriTemplate, name, ...described } of resources) {
    if (uriTemplate === undefined) continue;
    const what = `resource ${name}`;
    // A handler that cannot be imported lists nothing; the log says so.
    const handler = await imported<ResourceHandler>(runtime, what, runtime.handlers.resources[name]).catch(() => undefined);
    if (!handler?.list) continue;
    const list = handler.list as (ctx: Context) => Promise<readonly Listed[]>;
    const { members } = await runOrFail(runtime, exchange, { what, timeoutMs: limits.timeoutMs }, async (ctx) =>
      full(runtime, "ListResourcesResult", { resources: (await list(ctx)).map((resource) => ({ name, ...resource })) }));
    const listed = (JSON.parse(`{${members}}`) as { resources: Json[] }).resources;
    more.push(...listed.map((resource) => ({ ...described, ...resource })));
  }
  if (more.length === 0) return fixed;
  return outcomeOf({ resources: [...resources.filter(({ uri }) => uri !== undefined), ...more] });
}

// ---- tools ----

const shown = (message: string): Outcome => ({ members: `"content":[{"type":"text","text":${JSON.stringify(message.toWellFormed())}}],"isError":true` });

async function callTool(runtime: Runtime, exchange: Exchange): Promise<Outcome> {
  const { manifest, handlers, withState } = runtime;
  const { name } = exchange.params;
  const state = await remembered(runtime, exchange);
  const tool = byName(manifest.tools, name);
  if (!tool) throw new ProtocolError(INVALID_PARAMS, `Tool ${String(name)} not found`);
  const input = (exchange.params["arguments"] ?? {}) as Json;
  const most = manifest.limits.maxInputElements;
  if (elementsIn(input, most) > most) return shown(`Invalid arguments for tool ${tool.name}: arguments contain more than the maximum of ${most} elements`);
  const what = `tool ${tool.name}`;
  try {
    const wrong = checkInput(tool, input);
    if (wrong !== undefined) return shown(`Input validation error: Invalid arguments for tool ${tool.name}: ${wrong}`);
    const handler = await imported<{ run(input: Json, ctx: ToolContext): unknown }>(runtime, what, handlers.tools[tool.name]);
    const filled = withDefaults(tool.inputSchema, input);
    return await withAnswers(runtime, exchange, { what, timeoutMs: tool.timeoutMs, remembered: state }, async (ctx) => {
      const returned = await handler.run(filled, tool.state && withState ? withState(ctx, tool.state, filled) : ctx);
      if (isAsking(returned)) return returned as InputRequiredResult;
      return toolOutcome(runtime, tool, returned === undefined ? ctx.emitted() : returned, exchange.isModern);
    });
  } catch (error) {
    if (error instanceof ToolError) return shown(error.message);
    throw error;
  }
}

/** The validator throws only for a broken schema: an error of the server, not of the caller. */
function checkInput({ inputSchema }: ToolEntry, input: Json): string | undefined {
  try {
    return checkOf(inputSchema)(input);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Runs a handler. As long as it asks a client that answers in the middle of a call, runs it again with the answers. */
async function withAnswers(
  runtime: Runtime, exchange: Exchange, call: Call, handler: (ctx: ToolContext) => Promise<Outcome | InputRequiredResult>,
): Promise<Outcome> {
  const returned = await run(runtime, exchange, call, handler);
  if (!isAsking(returned)) return returned as Outcome;
  const asked = JSON.parse(toJson(returned)) as Json;
  if (exchange.isModern) {
    checkQuestions(asked, exchange.capabilities);
    const { members, meta } = outcomeOf(asked);
    return { members, meta, asks: true };
  }
  const { question, signal } = exchange.carrier;
  if (!question) throw masked(runtime, call.what, new Error("the handler returned a question that it did not make with `ctx.ask`"));
  const inputResponses = await question(asked as unknown as InputRequiredResult, signal);
  const { carrier, isModern, id, method, params } = exchange;
  const { requestState } = asked;
  const again = { jsonrpc: "2.0", id, method, params: { ...params, inputResponses, requestState } } as const;
  const next = new Exchange(carrier, isModern, again);
  return withAnswers(runtime, next, { ...call, remembered: await remembered(runtime, next) }, handler);
}

// ---- prompts ----

async function getPrompt(runtime: Runtime, exchange: Exchange): Promise<Outcome> {
  const { manifest, handlers } = runtime;
  const { name } = exchange.params;
  const state = await remembered(runtime, exchange);
  const prompt = byName(manifest.prompts, name);
  if (!prompt) throw new ProtocolError(INVALID_PARAMS, `Prompt ${String(name)} not found`);
  const schema = prompt.argsSchema ?? NO_ARGUMENTS;
  const args = (exchange.params["arguments"] ?? {}) as Json;
  const wrong = checkOf(schema)(args);
  if (wrong !== undefined) throw new ProtocolError(INVALID_PARAMS, `Invalid arguments for prompt ${prompt.name}: ${wrong}`);
  return answering(runtime, exchange, `prompt ${prompt.name}`, state, handlers.prompts[prompt.name] as () => Promise<{ default: PromptHandler }>, async (handler, ctx) => {
    const returned = await (handler.get as (args: Json, ctx: Context) => unknown)(withDefaults(schema, args), ctx);
    if (isAsking(returned)) return returned as InputRequiredResult;
    if (typeof returned === "string") return full(runtime, "GetPromptResult", { messages: [{ role: "user", content: { type: "text", text: returned } }] });
    return full(runtime, "GetPromptResult", Array.isArray(returned) ? { messages: returned } : returned);
  });
}

const NO_ARGUMENTS: Json = { type: "object" };

/** As for tools, but a failure is an error of the protocol. */
async function answering<H>(
  runtime: Runtime, exchange: Exchange, what: string, state: unknown, load: () => Promise<{ default: H }>,
  handle: (handler: H, ctx: ToolContext) => Promise<Outcome | InputRequiredResult>,
): Promise<Outcome> {
  try {
    const handler = await imported<H>(runtime, what, load);
    const call = { what, timeoutMs: runtime.manifest.limits.timeoutMs, remembered: state };
    return await withAnswers(runtime, exchange, call, (ctx) => handle(handler, ctx));
  } catch (error) {
    throw protocolErrorOf(error);
  }
}

// ---- resources ----

interface Found {
  readonly entry: ResourceEntry;
  readonly variables: Record<string, string | string[]>;
}

const templateOf = once(({ uriTemplate = "" }: ResourceEntry) => new UriTemplate(uriTemplate));

const fixedOf = once((resources: readonly ResourceEntry[]) => {
  const known = resources.flatMap((entry) => (entry.uri === undefined ? [] : [[URL.canParse(entry.uri) ? new URL(entry.uri).href : entry.uri, entry] as const]));
  return new Map(known);
});

/** A fixed resource takes precedence over a template. Addresses are compared in their normal form. */
function findResource(resources: readonly ResourceEntry[], address: string): Found | undefined {
  const entry = fixedOf(resources).get(address);
  if (entry) return { entry, variables: {} };
  for (const candidate of resources) {
    const variables = candidate.uriTemplate === undefined ? undefined : templateOf(candidate).match(address);
    if (variables) return { entry: candidate, variables };
  }
  return undefined;
}

async function readResource(runtime: Runtime, exchange: Exchange): Promise<Outcome> {
  const { manifest, handlers } = runtime;
  const asked = exchange.params["uri"] as string;
  const state = await remembered(runtime, exchange);
  if (asked.length > LONGEST || !URL.canParse(asked)) throw new ProtocolError(INVALID_PARAMS, `Resource URI ${asked} is invalid`, { uri: asked, reason: "invalid_uri" });
  const uri = new URL(asked).href;
  const found = findResource(manifest.resources, uri);
  if (!found) throw new ProtocolError(INVALID_PARAMS, `Resource not found: ${asked}`, { uri: asked });
  const { entry, variables } = found;
  return answering(runtime, exchange, `resource ${entry.name}`, state, handlers.resources[entry.name] as () => Promise<{ default: ResourceHandler }>, async (handler, ctx) => {
    const returned = await (handler.read as (variables: object, ctx: Context) => ReturnType<ResourceHandler["read"]>)(variables, ctx);
    if (returned === undefined) throw new ProtocolError(INVALID_PARAMS, `Resource not found: ${uri}`, { uri });
    if (isAsking(returned)) return returned as InputRequiredResult;
    return full(runtime, "ReadResourceResult", contentsOf(returned as string, uri, entry.mimeType));
  });
}

// ---- completion ----

const MOST_VALUES = 100;

async function complete(runtime: Runtime, exchange: Exchange): Promise<Outcome> {
  const { ref, argument, context } = exchange.params as {
    ref: { type: string; name: string; uri: string }; argument: { name: string; value: string }; context?: { arguments?: Record<string, string> };
  };
  const { prompts, resources } = runtime.manifest;
  const isPrompt = ref.type === "ref/prompt";
  const entry = isPrompt ? byName(prompts, ref.name) : resources.find(({ uri, uriTemplate }) => (uriTemplate ?? uri) === ref.uri);
  if (!entry) throw new ProtocolError(INVALID_PARAMS, "there is nothing of that name to complete");
  const what = `${isPrompt ? "prompt" : "resource"} ${entry.name}`;
  const load = runtime.handlers[isPrompt ? "prompts" : "resources"][entry.name];
  const call = { what: "completion", timeoutMs: runtime.manifest.limits.timeoutMs };
  return runOrFail(runtime, exchange, call, async (ctx) => {
    const { complete: completers = {} } = await imported<{ complete?: Record<string, Complete> }>(runtime, what, load as never);
    const completer = Object.hasOwn(completers, argument.name) ? completers[argument.name] : undefined;
    const values = (await completer?.(argument.value, { ...ctx, arguments: context?.arguments ?? {} })) ?? [];
    return full(runtime, "CompleteResult", { completion: { values: values.slice(0, MOST_VALUES), total: values.length, hasMore: values.length > MOST_VALUES } });
  });
}
