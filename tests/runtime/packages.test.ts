// What a bundle cannot hold lies beside it; what it can hold does not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { build } from "esbuild";
import type { BuildOptions } from "esbuild";
import { manifestAsJson } from "../../templates/runtime/manifest-json.ts";
import { bundle } from "../../templates/runtime/packages.ts";

const made: string[] = [];
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const BANNER = `const require=process.getBuiltinModule("node:module").createRequire(import.meta.url),__filename=import.meta.filename,__dirname=import.meta.dirname;`;

/** A project with these files; a package without a manifest gets one. */
function project(files: Record<string, string | Buffer>): string {
  const root = mkdtempSync(join(tmpdir(), "packages-"));
  made.push(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  for (const path of Object.keys(files)) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
    const manifest = join(root, folder ?? "", "package.json");
    if (folder !== undefined && !existsSync(manifest)) writeFileSync(manifest, `{ "version": "1.0.0" }`);
  }
  return root;
}

/**
 * Bundles, moves the result away from the packages, and runs it: what it prints, what lies beside it, and all files
 * there.
 */
async function built(files: Record<string, string | Buffer>, external: string[] = [], cpu: "x64" | "arm64" = process.arch as "x64", prepare?: (root: string) => void) {
  const root = project(files);
  prepare?.(root);
  const outdir = join(root, "dist/lambda");
  const options: BuildOptions = { absWorkingDir: root, entryPoints: ["main.ts"], outdir, outExtension: { ".js": ".mjs" }, bundle: true, splitting: true, platform: "node", format: "esm", banner: { js: BANNER }, logLevel: "silent" };
  const { beside } = await bundle(options, { root, outdir, cpu, external });
  const elsewhere = mkdtempSync(join(tmpdir(), "packages-"));
  made.push(elsewhere);
  cpSync(outdir, elsewhere, { recursive: true });
  const said = execFileSync(process.execPath, [join(elsewhere, "main.mjs")], { encoding: "utf8" }).trim();
  return { said, beside: Object.fromEntries(beside), files: readdirSync(elsewhere, { recursive: true }).map(String).filter((file) => !file.startsWith("main")) };
}

const elf = (machine: number, more = "") => {
  const head = Buffer.alloc(64);
  head.write("\x7fELF", "latin1");
  head.writeUInt16LE(machine, 18);
  return Buffer.concat([head, Buffer.from(more)]);
};

test("a long manifest is read as JSON, a short one as it is", async () => {
  for (const [count, isJson] of [[1, false], [2000, true]] as const) {
    const tools = Array.from({ length: count }, (_, at) => ({ name: `tool_${at}`, description: "it's `${x}` \u2028 </script> \\ \n", inputSchema: { properties: { "__proto__": { type: "string" } } } }));
    const outdir = mkdtempSync(join(tmpdir(), "packages-"));
    made.push(outdir);
    const root = project({
      "src/generated/manifest.ts": `import type { Manifest } from "./runtime/manifest.ts";\n\nexport const manifest: Manifest = ${JSON.stringify({ tools }, null, 2)};\n`,
      "main.ts": `import { manifest } from "./src/generated/manifest.ts"; console.log(JSON.stringify(manifest.tools.map(({ name, description }) => [name, description])));`,
    });
    await build({ absWorkingDir: root, entryPoints: ["main.ts"], outdir, bundle: true, format: "esm", outExtension: { ".js": ".mjs" }, plugins: [manifestAsJson], logLevel: "silent" });
    assert.equal(readFileSync(join(outdir, "main.mjs"), "utf8").includes("JSON.parse("), isJson);
    const said = execFileSync(process.execPath, [join(outdir, "main.mjs")], { encoding: "utf8" });
    assert.deepEqual(JSON.parse(said), tools.map(({ name, description }) => [name, description]));
  }
});

test("an ordinary package is bundled, and nothing lies beside", async () => {
  const { said, files } = await built({
    "main.ts": `import a from "a"; console.log(a);`,
    "node_modules/a/index.js": `module.exports = require("b") + require("node:path").sep; // .node, __dirname`,
    "node_modules/b/index.js": `module.exports = "b"; const names = [".js", ".node"];`,
  });
  assert.equal(said, "b/");
  assert.deepEqual(files, []);
});

test("a package that reads files beside its code lies beside the bundle, with what it depends on", async () => {
  const { said, beside, files } = await built({
    "main.ts": `import a from "a"; import c from "c"; console.log(a, c);`,
    "node_modules/a/index.js": `const text = require("fs").readFileSync(require("path").join(__dirname, "data.txt"), "utf8"); module.exports = text + require("c");`,
    "node_modules/a/package.json": `{ "version": "1.0.0", "dependencies": { "c": "*" } }`,
    "node_modules/a/data.txt": "data",
    "node_modules/a/index.d.ts": "export {};",
    "node_modules/a/index.js.map": "{}",
    "node_modules/a/node_modules/c/index.js": `module.exports = "old";`,
    "node_modules/c/index.js": `module.exports = "new";`,
    "node_modules/unused/index.js": `module.exports = __dirname + ".node";`,
  });
  assert.equal(said, "dataold new");
  assert.deepEqual(beside, { a: "it reads files beside its own code" });
  assert.ok(files.includes("node_modules/a/data.txt") && files.includes("node_modules/c/index.js"));
  assert.ok(!files.some((file) => /\.d\.ts|\.map|unused/.test(file)), String(files));
});

test("each way to find a file of the package is seen", async () => {
  const ways = {
    resolves: [`module.exports = require.resolve("./worker.js").length > 0;`, "it reads files beside its own code"],
    address: [`import { readFileSync } from "node:fs"; export default readFileSync(new URL("./data.txt", import.meta.url)).length > 0;`, "it reads files beside its own code"],
    wasm: [`const file = __dirname.split("/").concat("a.wasm").join("/"); module.exports = require("fs").existsSync(file);`, "it reads files beside its own code"],
    made: [`import { createRequire } from "node:module"; const load = createRequire(import.meta.url); export default load("bindings") !== load("./package.json");`, "it asks for others in a way that no bundler sees"],
    gyp: [`try { require("bindings")("x"); } catch {} module.exports = true;`, "it has native code"],
    addon: [`try { require("./build/x.node"); } catch {} module.exports = true;`, "it has native code"],
    platform: [`const name = "linux"; try { require(\`./x-\${name}.node\`); } catch {} module.exports = true;`, "it has native code"],
  } as const;
  for (const [name, [text, reason]] of Object.entries(ways)) {
    const type = text.startsWith("import ") ? "module" : "commonjs";
    const { said, beside } = await built({
      "main.ts": `import way from "${name}"; console.log(way);`,
      [`node_modules/${name}/index.js`]: text,
      [`node_modules/${name}/package.json`]: `{ "version": "1.0.0", "type": "${type}", "dependencies": { "bindings": "*" } }`,
      [`node_modules/${name}/data.txt`]: "data",
      [`node_modules/${name}/a.wasm`]: "data",
      [`node_modules/${name}/worker.js`]: "",
      [`node_modules/${name}/build/x.node`]: elf(process.arch === "arm64" ? 183 : 62),
      "node_modules/bindings/index.js": "module.exports = () => { throw new Error(`none`); }; const load = () => require(`${process.argv[2]}.node`);",
    });
    assert.equal(said, "true", name);
    assert.deepEqual(beside, { [name]: reason });
  }
});

test("a package that mcp.toml names lies beside the bundle, and one that is not there is an error", async () => {
  const files = { "main.ts": `import a from "@s/a"; console.log(a);`, "node_modules/@s/a/index.js": `module.exports = "a";` };
  assert.deepEqual((await built(files, ["@s/a"])).beside, { "@s/a": "mcp.toml names it" });
  await assert.rejects(built(files, ["b"]), /names `b` in `external`, and no such package is installed/);
});

test("the packages of pnpm are found behind their links", async () => {
  const store = "node_modules/.pnpm";
  const { said, files } = await built(
    {
      "main.ts": `import a from "a"; console.log(a);`,
      [`${store}/a@1.0.0/node_modules/a/index.js`]: `module.exports = require("fs").readFileSync(__dirname + "/data.txt", "utf8") + require("b");`,
      [`${store}/a@1.0.0/node_modules/a/package.json`]: `{ "version": "1.0.0", "dependencies": { "b": "*" } }`,
      [`${store}/a@1.0.0/node_modules/a/data.txt`]: "data",
      [`${store}/b@1.0.0/node_modules/b/index.js`]: `module.exports = "b";`,
    },
    [],
    undefined,
    (root) => {
      symlinkSync(join(root, store, "a@1.0.0/node_modules/a"), join(root, "node_modules/a"));
      symlinkSync(join(root, store, "b@1.0.0/node_modules/b"), join(root, store, "a@1.0.0/node_modules/b"));
    },
  );
  assert.equal(said, "datab");
  assert.ok(files.includes("node_modules/a/data.txt") && files.includes("node_modules/b/index.js"), String(files));
});

test("native code of other platforms stays here", async () => {
  const cpu = process.arch as "x64" | "arm64";
  const [own, other] = cpu === "arm64" ? [183, 62] : [62, 183];
  const { files } = await built({
    "main.ts": `import a from "a"; console.log(a);`,
    "node_modules/a/index.js": `try { require("./prebuilds/linux/x.node"); } catch {} module.exports = 1;`,
    "node_modules/a/package.json": `{ "version": "1.0.0", "optionalDependencies": { "a-mac": "*", "a-musl": "*", "a-linux": "*" } }`,
    "node_modules/a/prebuilds/linux/x.node": elf(own),
    "node_modules/a/prebuilds/other/x.node": elf(other),
    "node_modules/a/prebuilds/musl/x.node": elf(own, "libc.musl-x86_64.so.1"),
    "node_modules/a/prebuilds/mac/x.node": "\xcf\xfa\xed\xfe",
    "node_modules/a-mac/package.json": `{ "version": "1.0.0", "os": ["darwin"] }`,
    "node_modules/a-musl/package.json": `{ "version": "1.0.0", "os": ["linux"], "libc": ["musl"] }`,
    "node_modules/a-linux/package.json": `{ "version": "1.0.0", "os": ["linux"], "cpu": ["!mips", "${cpu}"], "libc": ["glibc"] }`,
  });
  assert.deepEqual(files.filter((file) => file.endsWith(".node")), ["node_modules/a/prebuilds/linux/x.node"]);
  assert.ok(existsSync(join(made.at(-1) ?? "", "node_modules/a-linux")) && !files.some((file) => /a-mac|a-musl/.test(file)));
  const alone = { "main.ts": `import "a";`, "node_modules/a/index.js": `require("./x.node");`, "node_modules/a/x.node": elf(other) };
  await assert.rejects(built(alone), /has native code, and none of it is for Linux on/);
});

test("files of an earlier build do not stay", async () => {
  const root = project({ "main.ts": "console.log(1);", "dist/lambda/old.mjs": "" });
  const outdir = join(root, "dist/lambda");
  await bundle({ absWorkingDir: root, entryPoints: ["main.ts"], outdir, bundle: true, logLevel: "silent" }, { root, outdir, cpu: "x64", external: [] });
  assert.deepEqual(readdirSync(outdir), ["main.js"]);
  assert.match(readFileSync(join(outdir, "main.js"), "utf8"), /console/);
});

test("native code for another processor is installed once more, beside the project's own", async () => {
  const [cpu, machine] = process.arch === "arm64" ? (["x64", 62] as const) : (["arm64", 183] as const);
  const path = process.env["PATH"];
  try {
    let root = "";
    const { files } = await built(
      {
        "main.ts": `import a from "a"; console.log(a);`,
        "node_modules/a/index.js": `try { require("a-here/x.node"); } catch {} module.exports = 1;`,
        "node_modules/a/package.json": `{ "version": "1.2.3", "optionalDependencies": { "a-here": "*", "a-there": "*" } }`,
        "node_modules/a-here/package.json": `{ "version": "1.0.0", "cpu": ["${process.arch}"] }`,
        "node_modules/a-here/x.node": elf(machine === 62 ? 183 : 62),
        // What mcp-deploy left there before.
        "node_modules/.cache/mcp-deploy": "0123",
        // What npm would bring.
        "there/a/index.js": `try { require("a-there/x.node"); } catch {} module.exports = 2;`,
        "there/a/package.json": `{ "version": "1.2.3", "optionalDependencies": { "a-here": "*", "a-there": "*" } }`,
        "there/a-there/package.json": `{ "version": "1.0.0", "cpu": ["${cpu}"] }`,
        "there/a-there/x.node": elf(machine),
        "bin/npm": `#!/bin/sh\necho "$@" > asked; cp package.json said; mkdir -p node_modules; cp -r "$THERE"/* node_modules; touch node_modules/.package-lock.json\n`,
      },
      [],
      cpu,
      (made) => {
        root = made;
        chmodSync(join(root, "bin/npm"), 0o755);
        process.env["PATH"] = `${join(root, "bin")}:${path}`;
        process.env["THERE"] = join(root, "there");
      },
    );
    assert.deepEqual(files.filter((file) => file.endsWith(".node")), ["node_modules/a-there/x.node"]);
    const cache = join(root, `node_modules/.cache/mcp-deploy/linux-${cpu}`);
    assert.match(readFileSync(join(cache, "asked"), "utf8"), new RegExp(`^install --os=linux --cpu=${cpu} --libc=glibc `));
    assert.deepEqual((JSON.parse(readFileSync(join(cache, "said"), "utf8")) as { dependencies: unknown }).dependencies, { a: "1.2.3" });
    assert.ok(existsSync(join(root, "node_modules/a-here/x.node")), "the project keeps its own");
  } finally {
    process.env["PATH"] = path;
  }
});
