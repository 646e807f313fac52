// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The part of Cloudflare's types that the generated code uses. The full types would replace those of Node.js in the
// whole project.
declare module "cloudflare:workers" {
  export abstract class DurableObject {
    protected readonly ctx: DurableObjectState;
    protected readonly env: Readonly<Record<string, unknown>>;
    constructor(ctx: DurableObjectState, env: Readonly<Record<string, unknown>>);
  }
  /** The classes that wrangler.jsonc exports. */
  export const exports: Readonly<Record<"ToolState" | "McpSession", DurableObjectNamespace>>;
}

interface DurableObjectNamespace {
  newUniqueId(): DurableObjectId;
  get(id: DurableObjectId): { fetch(url: string, init: RequestInit): Promise<Response & { readonly webSocket: HibernatingSocket }> };
  /** The object's methods. Each call goes to where the object lives. */
  getByName(name: string): unknown;
}

interface DurableObjectId {
  toString(): string;
}

interface DurableObjectState {
  readonly storage: DurableObjectStorage;
  waitUntil(promise: Promise<unknown>): void;
  acceptWebSocket(socket: HibernatingSocket): void;
  getWebSockets(): HibernatingSocket[];
}

interface DurableObjectStorage {
  readonly sql: { exec(statement: string, ...values: (string | number | null)[]): { toArray(): Record<string, unknown>[] } };
  getAlarm(): Promise<number | null>;
  setAlarm(time: number): Promise<void>;
  /** The alarm, too. */
  deleteAll(): Promise<void>;
}

interface HibernatingSocket {
  readonly readyState: number;
  send(text: string): void;
  close(code: number, reason: string): void;
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): unknown;
}

declare const WebSocketPair: new () => { readonly 0: HibernatingSocket; readonly 1: HibernatingSocket };
