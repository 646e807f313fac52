// node websocket-v1.mjs URL SCENE: the v1 client over its WebSocket transport; BEARER is sent with the upgrade when it
// is set.
import { once } from "node:events";
import { createServer } from "node:http";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { session } from "./typescript.mjs";

const [url, scene] = [process.argv[2].replace(/^http/, "ws"), process.argv[3]];

// The transport has no way to send a header; Node's own WebSocket has.
if (process.env.BEARER) {
  const headers = { authorization: `Bearer ${process.env.BEARER}` };
  globalThis.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, { protocols, headers });
    }
  };
}

async function connect(capabilities = {}) {
  const client = new Client({ name: "e2e", version: "0.0.0" }, { capabilities });
  const seen = { client, logged: [], errors: [] };
  client.onerror = (error) => seen.errors.push(String(error));
  client.fallbackNotificationHandler = async ({ method, params }) => void (method === "notifications/message" && seen.logged.push(params.data));
  await client.connect(new WebSocketClientTransport(new URL(url)));
  seen.call = async (name, args = {}, options = {}) => {
    const { structuredContent, content } = await client.callTool({ name, arguments: args }, undefined, options);
    return structuredContent ?? content;
  };
  seen.instance = async () => (await seen.call("instance")).instance;
  return seen;
}

/** A page that a tool asks for and waits at. */
async function gate() {
  const server = createServer().listen(0, "127.0.0.1");
  const arrived = once(server, "request").then(([, response]) => response);
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}/`, arrived, close: () => server.close() };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** workerd waits for ten silent seconds; there is no other sign of it than that the object is another one. */
async function another(client, before, also = () => {}) {
  for (const seconds of [12, 15, 20, 30]) {
    await pause(seconds * 1000);
    const [, now] = await Promise.all([also(), client.instance()]);
    if (now !== before) return now;
  }
  return before;
}

const scenes = {
  async session() {
    const { client, errors } = await connect();
    const seen = await session(client, (call, options) => client.callTool(call, undefined, options));
    await client.close();
    return { ...seen, errors };
  },

  async whoami() {
    const { client, call } = await connect();
    const caller = await call("whoami");
    await client.close();
    return caller;
  },

  async counted() {
    const { client, call } = await connect();
    const calls = [await call("count"), await call("count")];
    await client.close();
    return calls;
  },

  /** A tool asks the user, of a client that said it can; of another one it cannot. */
  async asked() {
    const [user, nobody] = [await connect({ elicitation: {} }), await connect()];
    const questions = [];
    user.client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      questions.push(params.message);
      return { action: "accept", content: { name: "Ada" } };
    });
    const result = { answer: await user.call("greet"), questions, refused: await nobody.call("greet") };
    await Promise.all([user.client.close(), nobody.client.close()]);
    return result;
  },

  /** One client is silent until its object has left the memory, twice; meanwhile a call of another one is in flight. */
  async hibernation() {
    const [idle, busy] = [await connect(), await connect()];
    const instances = [await idle.instance()];
    const busyBefore = await busy.instance();
    const page = await gate();
    const called = busy.call("wait_at", { url: page.url }, { timeout: 180_000 });
    const waiting = await page.arrived;
    // Two messages at once wake it, of which the first one is to be remembered.
    instances.push(await another(idle, instances[0], () => idle.client.setLoggingLevel("error")));
    const heard = idle.logged.splice(0);
    instances.push(await another(idle, instances[1]));
    waiting.end("go on");
    const answer = await called;
    const { tools } = await idle.client.listTools();
    const result = { instances, busy: [busyBefore, await busy.instance()], answer, tools: tools.length, heard: [heard, idle.logged], errors: [...idle.errors, ...busy.errors] };
    await Promise.all([idle.client.close(), busy.client.close()]);
    page.close();
    return result;
  },

  /** The same request ids on two connections: one is cancelled, the other goes on. */
  async apart() {
    const [one, other] = [await connect(), await connect()];
    await one.client.setLoggingLevel("emergency");
    const pages = [await gate(), await gate()];
    const cancel = new AbortController();
    const cancelled = one.call("wait_at", { url: pages[0].url }, { signal: cancel.signal }).catch(() => "cancelled");
    const left = once((await pages[0].arrived).on("close", () => {}), "close").then(() => "left");
    const called = other.call("wait_at", { url: pages[1].url });
    const waiting = await pages[1].arrived;
    cancel.abort();
    const result = { cancelled: await cancelled, tool: await left };
    waiting.end("go on");
    result.other = await called;
    result.instances = [await one.instance(), await other.instance()];
    result.logged = [one.logged, other.logged];
    await Promise.all([one.client.close(), other.client.close()]);
    for (const page of pages) page.close();
    return result;
  },
};

console.log(JSON.stringify(await scenes[scene]()));
