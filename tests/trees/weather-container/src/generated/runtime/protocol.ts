// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The Model Context Protocol as this server speaks it: its versions, names and types. Only this file has them.

/** The generation without a handshake: each request has its version and the client's capabilities. */
export const MODERN = "2026-07-28";
/** The generations with a handshake, newest first. */
export const LEGACY: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"];

const KEY = "io.modelcontextprotocol/";
/** Keys of `_meta`. */
export const VERSION_KEY = `${KEY}protocolVersion`;
export const CLIENT_INFO_KEY = `${KEY}clientInfo`;
export const CAPABILITIES_KEY = `${KEY}clientCapabilities`;
export const LOG_LEVEL_KEY = `${KEY}logLevel`;
export const SERVER_INFO_KEY = `${KEY}serverInfo`;
export const SUBSCRIPTION_KEY = `${KEY}subscriptionId`;

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** The server's own refusals, which are not part of the protocol. */
export const REFUSED = -32000;
export const HEADER_MISMATCH = -32020;
export const MISSING_CAPABILITY = -32021;
export const UNSUPPORTED_VERSION = -32022;

/** An error that becomes an error of JSON-RPC. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export type Json = Record<string, unknown>;
export type Id = string | number;

export interface JsonRpcRequest {
  readonly jsonrpc: "2.0";
  readonly id: Id;
  readonly method: string;
  readonly params?: Json;
}

export interface JsonRpcNotification {
  readonly jsonrpc: "2.0";
  readonly method: string;
  readonly params?: Json;
}

export interface JsonRpcResponse {
  readonly jsonrpc: "2.0";
  readonly id?: Id;
  readonly result?: Json;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export type Message = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

// Optional members may be `undefined`: JSON leaves them out.

export type Meta = Record<string, unknown>;
export type Role = "user" | "assistant";
export type LoggingLevel = "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency";
/** From the least severe on. */
export const LOGGING_LEVELS: readonly LoggingLevel[] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export interface Annotations {
  audience?: Role[] | undefined;
  /** From 0 to 1. */
  priority?: number | undefined;
  /** ISO 8601. */
  lastModified?: string | undefined;
}

export interface Icon {
  src: string;
  mimeType?: string | undefined;
  sizes?: string[] | undefined;
  theme?: "light" | "dark" | undefined;
}

export interface Implementation {
  name: string;
  version: string;
  title?: string | undefined;
  description?: string | undefined;
  websiteUrl?: string | undefined;
  icons?: Icon[] | undefined;
}

interface Content {
  annotations?: Annotations | undefined;
  _meta?: Meta | undefined;
}

export interface TextContent extends Content {
  type: "text";
  text: string;
}

export interface ImageContent extends Content {
  type: "image";
  /** base64 */
  data: string;
  mimeType: string;
}

export interface AudioContent extends Content {
  type: "audio";
  /** base64 */
  data: string;
  mimeType: string;
}

export interface Resource extends Content {
  uri: string;
  name: string;
  title?: string | undefined;
  description?: string | undefined;
  mimeType?: string | undefined;
  size?: number | undefined;
  icons?: Icon[] | undefined;
}

export interface ResourceLink extends Resource {
  type: "resource_link";
}

export interface EmbeddedResource extends Content {
  type: "resource";
  resource: ResourceContents;
}

export type ContentBlock = TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource;

export interface ResourceContents {
  uri: string;
  mimeType?: string | undefined;
  text?: string | undefined;
  /** base64 */
  blob?: string | undefined;
  _meta?: Meta | undefined;
}

export interface CallToolResult {
  content: ContentBlock[];
  structuredContent?: unknown;
  isError?: boolean | undefined;
  _meta?: Meta | undefined;
}

export interface PromptMessage {
  role: Role;
  content: ContentBlock;
}

export interface GetPromptResult {
  messages: PromptMessage[];
  description?: string | undefined;
  _meta?: Meta | undefined;
}

export interface ReadResourceResult {
  contents: ResourceContents[];
  _meta?: Meta | undefined;
}

export interface ToolAnnotations {
  title?: string | undefined;
  readOnlyHint?: boolean | undefined;
  destructiveHint?: boolean | undefined;
  idempotentHint?: boolean | undefined;
  openWorldHint?: boolean | undefined;
}

export interface ClientCapabilities {
  elicitation?: { form?: Json | undefined; url?: Json | undefined } | undefined;
  sampling?: { context?: Json | undefined; tools?: Json | undefined } | undefined;
  roots?: { listChanged?: boolean | undefined } | undefined;
  experimental?: Record<string, Json> | undefined;
  extensions?: Record<string, Json> | undefined;
}

/** What a form of `elicitation/create` may ask for. */
export interface RequestedSchema {
  type: "object";
  properties: Record<string, Json>;
  required?: string[] | undefined;
}

export type InputRequest =
  | { method: "elicitation/create"; params: { message: string; mode?: "form" | undefined; requestedSchema: RequestedSchema; _meta?: Meta | undefined } }
  | { method: "elicitation/create"; params: { message: string; mode: "url"; url: string; elicitationId?: string | undefined; _meta?: Meta | undefined } }
  | { method: "sampling/createMessage"; params: { messages: { role: Role; content: unknown }[]; maxTokens: number } & Json }
  | { method: "roots/list"; params?: Json | undefined };

export type InputRequests = Record<string, InputRequest>;

/** What a handler returns if it needs an answer first. The client calls again with the answer. */
export interface InputRequiredResult {
  resultType: "input_required";
  inputRequests?: InputRequests | undefined;
  requestState?: string | undefined;
  _meta?: Meta | undefined;
}
