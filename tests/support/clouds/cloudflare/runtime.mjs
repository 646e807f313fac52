// Serves one Worker in workerd: node runtime.mjs WRANGLER <config. The configuration is miniflare's, modules in base64.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Miniflare, convertV4MiniflareOptions, Log, LogLevel } = createRequire(process.argv[2])("miniflare");
const { port, worker } = JSON.parse(readFileSync(0, "utf8"));
for (const module of worker.modules) {
  const bytes = Buffer.from(module.contents, "base64");
  module.contents = ["CompiledWasm", "Data"].includes(module.type) ? new Uint8Array(bytes) : bytes.toString("utf8");
}
const options = { host: "127.0.0.1", port, cf: false, log: new Log(LogLevel.ERROR), ...worker };
const miniflare = new Miniflare(convertV4MiniflareOptions(options));
process.once("SIGTERM", () => void miniflare.dispose().finally(() => process.exit(0)));
try {
  await miniflare.ready;
  // The port is open before the Worker has started.
  writeFileSync("ready", "");
} catch (error) {
  console.error(String(error?.message ?? error));
  process.exit(1);
}
