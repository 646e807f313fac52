// One package in a real project: bundled as for Lambda and loaded by Node.js away from it; bundled by wrangler and
// loaded by workerd.
//   node packages.mjs PROJECT SCRATCH WRANGLER WORKERD
// Prints { node, beside, workers }: whether the handler could be imported on each, and what lies beside the bundle.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const [project, scratch, wrangler, workerd] = process.argv.slice(2);

const freePort = () => new Promise((done) => { const server = createServer().listen(0, "127.0.0.1", () => { const { port } = server.address(); server.close(() => done(port)); }); });

/**
 * What the server's health page says of handlers that it could not import; an error of a server that does not start.
 */
async function loads(command, args, options, port) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (said += piece));
  let ended = false;
  child.on("close", () => (ended = true));
  try {
    for (let turn = 0; turn < 600 && !ended; turn++) {
      const health = await fetch(`http://127.0.0.1:${port}/health`).then((response) => response.json(), () => undefined);
      if (health) return health.broken === undefined ? "loads" : `fails: ${said.trim().split("\n").pop()}`;
      await new Promise((done) => setTimeout(done, 100));
    }
    return `does not start: ${said.trim().slice(-2000)}`;
  } finally {
    child.kill("SIGKILL");
  }
}

async function onNode() {
  const out = join(scratch, "node");
  const built = spawnSync(process.execPath, ["src/generated/bundle.ts", "lambda", "--outdir", out], { cwd: project, encoding: "utf8" });
  if (built.status !== 0) return { node: `cannot be bundled: ${built.stderr.trim().slice(-2000)}`, beside: [] };
  const beside = [...built.stdout.matchAll(/^beside the bundle: (\S+) \((.+)\)$/gm)].map(([, name]) => name);
  const port = await freePort();
  const env = { PATH: process.env.PATH, AWS_LWA_PORT: String(port), MCP_LOCAL_IMPORT: "1" };
  return { node: await loads(process.execPath, [join(out, "lambda.mjs")], { cwd: out, env }, port), beside };
}

async function onWorkers() {
  const out = join(scratch, "workers");
  const built = spawnSync(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", out, "--env="], { cwd: project, encoding: "utf8", env: { ...process.env, CI: "1" } });
  if (built.status !== 0) return "cannot be bundled";
  const files = readdirSync(out).filter((name) => !name.endsWith(".map") && name !== "README.md");
  const kind = (name) => (name.endsWith(".js") ? "esModule" : name.endsWith(".wasm") ? "wasm" : /\.(?:txt|html|sql)$/.test(name) ? "text" : "data");
  // The first is what it starts with.
  files.sort((a, b) => Number(b === "cloudflare.js") - Number(a === "cloudflare.js"));
  const modules = files.map((name) => `(name = "${name}", ${kind(name)} = embed "${name}")`).join(", ");
  const date = /"compatibility_date": "([\d-]+)"/.exec(readFileSync(join(project, "wrangler.jsonc"), "utf8"))[1];
  const port = await freePort();
  writeFileSync(join(out, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = .main)], sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const main :Workerd.Worker = (modules = [${modules}], compatibilityDate = "${date}");
`);
  return loads(workerd, ["serve", "config.capnp"], { cwd: out }, port);
}

const [node, workers] = await Promise.all([onNode(), onWorkers()]);
console.log(JSON.stringify({ ...node, workers }));
