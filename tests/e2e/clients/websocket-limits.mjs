// node websocket-limits.mjs URL SCENE: a client that asks for much, or that reads slowly.
const socket = new WebSocket(process.argv[2].replace(/^http/, "ws"), "mcp");
const waiting = new Map();
let pieces = 0;
let onping = (id) => say({ id, result: {} });

const say = (message) => socket.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
const ask = (id, method, params) => new Promise((resolve) => {
  waiting.set(id, resolve);
  say({ id, method, params });
});
const load = (id, args, _meta) => ask(id, "tools/call", { name: "load", arguments: args, ...(_meta && { _meta }) });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.method === "ping") onping(message.id);
  else if (message.method === "notifications/progress") pieces++;
  else waiting.get(message.id)?.(message);
};
await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
await ask("hello", "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "e2e", version: "0" } });
say({ method: "notifications/initialized" });

const scenes = {
  async crowd() {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => load(at, { pieces: 0, ms: 3000 })));
    const refused = answers.filter(({ error }) => error).map(({ error }) => error);
    const { result } = await load("afterwards", { pieces: 0, ms: 0 });
    return { refused, answered: answers.length - refused.length, afterwards: result.content };
  },

  async repeated() {
    const answers = [];
    const all = Promise.withResolvers();
    waiting.set("same", (answer) => answers.push(answer) === 40 && all.resolve());
    for (let at = 0; at < 40; at++) say({ id: "same", method: "tools/call", params: { name: "load", arguments: { pieces: 0, ms: 1000 } } });
    await all.promise;
    const again = await load("same", { pieces: 0, ms: 0 });
    return { errors: answers.flatMap(({ error }) => error ?? []), again: again.result.content };
  },

  async flood() {
    const held = [];
    onping = async (id) => {
      // All that was sent before the ping is here; what the tool would emit meanwhile has the time to come.
      const before = pieces;
      await pause(1500);
      held.push([before, pieces]);
      say({ id, result: {} });
    };
    const { result } = await load("flood", { pieces: 64, ms: 0 }, { progressToken: "p" });
    return { held, pieces, content: result.content };
  },
};

console.log(JSON.stringify(await scenes[process.argv[3]]()));
socket.close();
