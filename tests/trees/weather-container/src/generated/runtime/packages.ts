// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// npm packages that a bundle cannot contain, because they have native code or read files beside their own code. They
// are copied unchanged into `node_modules` beside the bundle, with their dependencies. Only `bundle.ts` uses this; no
// server imports it.
import { execFileSync } from "node:child_process";
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { build } from "esbuild";
import type { BuildOptions, BuildResult, Metafile, Plugin } from "esbuild";

/** The processor of the platform, which runs Linux with glibc. */
export type Cpu = "x64" | "arm64";

export interface Settings {
  readonly root: string;
  readonly outdir: string;
  readonly cpu: Cpu;
  /** Packages that mcp.toml names. */
  readonly external: readonly string[];
}

/** A package that is not bundled: its name and the folder where it is installed. */
interface Package {
  readonly name: string;
  readonly folder: string;
}

/** Bundles, and copies what cannot be bundled. Returns the name of each such package and the reason. */
export async function bundle(options: BuildOptions, settings: Settings): Promise<{ built: BuildResult<{ metafile: true }>; beside: Map<string, string> }> {
  const reasons = new Map<string, string>();
  const packages = new Map<string, Package>();
  const add = ({ name, folder }: Package, reason: string): void => {
    const known = packages.get(name);
    if (known && known.folder !== folder) {
      throw new Error(`two versions of the package \`${name}\` cannot be bundled, and only one can lie beside the bundle: ${known.folder} and ${folder}`);
    }
    packages.set(name, { name, folder });
    reasons.set(name, reason);
  };
  for (const name of settings.external) {
    const folder = installed(name, settings.root);
    if (folder === undefined) throw new Error(`mcp.toml names \`${name}\` in \`external\`, and no such package is installed`);
    add({ name, folder }, "mcp.toml names it");
  }
  for (;;) {
    // Otherwise files of an earlier build would be deployed, too.
    rmSync(settings.outdir, { recursive: true, force: true });
    // A second round only if there is such a package: most projects have none.
    const built = await build({ ...options, metafile: true, loader: { ".node": "empty" }, logOverride: { "empty-glob": "silent" }, plugins: [...(options.plugins ?? []), external(packages)] });
    const before = packages.size;
    for (const [found, reason] of unbundlable(built.metafile, settings.root)) add(found, reason);
    if (packages.size > before) continue;
    if (packages.size > 0) copyAll([...packages.values()], settings);
    checkSize(settings.outdir);
    return { built, beside: reasons };
  }
}

/** Leaves these packages to Node.js, which finds them beside the bundle. */
function external(packages: ReadonlyMap<string, Package>): Plugin {
  return {
    name: "external",
    setup({ onResolve }) {
      if (packages.size === 0) return;
      onResolve({ filter: /^[^./]/ }, ({ path, importer, namespace }) => {
        const found = packages.get(nameOf(path));
        // Another version of the package, somewhere below, is bundled as usual.
        if (!found || namespace !== "file" || installed(found.name, dirname(importer)) !== found.folder) return undefined;
        return { path, external: true };
      });
    },
  };
}

/** `@a/b/c.js` → `@a/b` */
function nameOf(specifier: string): string {
  return specifier.split("/", /^[@.]/.test(specifier) ? 2 : 1).join("/");
}

/** The package of a file; a file outside of `node_modules` is the user's own. */
function packageOf(file: string): Package | undefined {
  const at = file.lastIndexOf(`${sep}node_modules${sep}`);
  if (at < 0) return undefined;
  const inside = at + `${sep}node_modules${sep}`.length;
  const name = nameOf(file.slice(inside).replaceAll(sep, "/"));
  return { name, folder: file.slice(0, inside) + name.replaceAll("/", sep) };
}

/** Packages that find a compiled file of the package that calls them. */
const FINDERS = new Set(["bindings", "node-gyp-build", "node-gyp-build-optional-packages", "node-pre-gyp", "@mapbox/node-pre-gyp", "pkg-prebuilds", "prebuildify"]);
/** Asks where the code is, which differs in a bundle; `createRequire` alone reads nothing. */
const HERE = /\b__dirname\b|\b__filename\b|(?<!createRequire\(\s*)\bimport\.meta\.(?:url|dirname|filename)\b/;
const READS = /\b(?:readFileSync|readFile|readdirSync|openSync|dlopen)\b|\.wasm["'`]/;
/** The path of a file in the package itself, which the code passes on. */
const POINTS = /\brequire\.resolve\(\s*["'`]\.{1,2}\//;
const NATIVE = /\b(?:require|dlopen|createRequire|nativeRequire)\b[^\n]*[\w}]\.node["'`]/;

/** Packages in a bundle that do not work there, each with the reason. */
function* unbundlable({ inputs }: Metafile, root: string): Generator<[Package, string]> {
  const importers = (path: string) => Object.keys(inputs).filter((other) => inputs[other]?.imports.some((imported) => imported.path === path));
  for (const [path, input] of Object.entries(inputs)) {
    const file = resolve(root, path);
    const own = packageOf(file);
    if (!own || FINDERS.has(own.name) || !existsSync(file) || file.endsWith(".json")) continue;
    const text = file.endsWith(".node") ? "" : readFileSync(file, "utf8");
    const finder = input.imports.map((imported) => packageOf(resolve(root, imported.path))?.name).find((name) => name !== undefined && FINDERS.has(name));
    if (file.endsWith(".node") || finder || NATIVE.test(text)) {
      // A package for one platform: its dependant imports another one elsewhere, so that one is named.
      const { os, cpu } = manifestOf(own.folder);
      const asking = os || cpu ? importers(path).flatMap((other) => packageOf(resolve(root, other)) ?? []) : [];
      for (const other of asking.length > 0 ? asking : [own]) yield [other, "it has native code"];
    }
    else if (POINTS.test(text) || (HERE.test(text) && READS.test(text))) yield [own, "it reads files beside its own code"];
    else if (asksUnseen(text, input.imports.map(({ original }) => original), own)) yield [own, "it asks for others in a way that no bundler sees"];
  }
}

/** Whether code asks for a file or a dependency through a `require` that it has made itself. */
function asksUnseen(text: string, seen: readonly (string | undefined)[], { folder }: Package): boolean {
  if (!/\bcreateRequire\s*\(/.test(text)) return false;
  const { dependencies, optionalDependencies, peerDependencies } = manifestOf(folder);
  const known = { ...peerDependencies, ...optionalDependencies, ...dependencies };
  const asked = [...text.matchAll(/\(\s*["'`]([^"'`\s]+)["'`]\s*\)/g)].map(([, specifier = ""]) => specifier);
  return asked.some((specifier) => !seen.includes(specifier) && (/^\.{1,2}\//.test(specifier) || nameOf(specifier) in known));
}

/** The folder of a package as Node.js finds it from another folder, with links resolved. */
function installed(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (basename(folder) !== "node_modules" && existsSync(candidate)) return realpathSync(candidate);
    if (folder === dirname(folder)) return undefined;
  }
}

interface Manifest {
  readonly version?: string;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly os?: string | string[];
  readonly cpu?: string | string[];
  readonly libc?: string | string[];
}

/** A package's manifest; empty for a mere folder or file. */
function manifestOf(folder: string): Manifest {
  const file = join(folder, "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Manifest) : {};
}

/** Whether a package is for the platform: `cpu: ["x64"]`, `os: ["!win32"]`. */
function suits({ os, cpu, libc }: Manifest, { cpu: wanted }: Settings): boolean {
  const has = (allowed: string | string[] | undefined, value: string) => {
    const list = [allowed ?? []].flat();
    const positive = list.filter((entry) => !entry.startsWith("!"));
    return !list.includes(`!${value}`) && (positive.length === 0 || positive.includes(value) || positive.includes("any"));
  };
  return has(os, "linux") && has(cpu, wanted) && has(libc, "glibc");
}

/**
 * The place of each package below the bundle, as Node.js will find it: the folder in the bundle, and the installed one.
 */
function layout(packages: readonly Package[], settings: Settings, isWanted: (found: Manifest) => boolean): Map<string, string> {
  const placed = new Map<string, string>();
  const seenFrom = (place: string, name: string): string | undefined => {
    for (let at = place; ; at = dirname(at)) {
      const folder = basename(at) === "node_modules" ? undefined : placed.get(join(at, "node_modules", name));
      if (folder !== undefined) return folder;
      if (at === settings.outdir) return undefined;
    }
  };
  const left: { name: string; folder: string; by: string }[] = packages.map((found) => ({ ...found, by: settings.outdir }));
  for (let next = left.shift(); next; next = left.shift()) {
    const { name, folder, by } = next;
    if (seenFrom(by, name) === folder) continue;
    const top = join(settings.outdir, "node_modules", name);
    const place = placed.has(top) ? join(by, "node_modules", name) : top;
    placed.set(place, folder);
    const { dependencies, optionalDependencies, peerDependencies } = manifestOf(folder);
    for (const needed of Object.keys({ ...peerDependencies, ...dependencies, ...optionalDependencies })) {
      const found = installed(needed, folder);
      // A missing package is optional, or was missing in the project's tests as well.
      if (found !== undefined && isWanted(manifestOf(found))) left.push({ name: needed, folder: found, by: place });
    }
  }
  return placed;
}

function copyAll(packages: readonly Package[], settings: Settings): void {
  const suited = (manifest: Manifest) => suits(manifest, settings);
  // A package for only this machine means that there are others for other machines.
  const isForeign = !isLikeHere(settings.cpu) && [...layout(packages, settings, () => true).values()].some((folder) => files(folder).some((file) => file.endsWith(".node")));
  const placed = layout(isForeign ? installedFor(packages, settings) : packages, settings, suited);
  for (const [place, folder] of placed) {
    const natives = files(folder).filter((file) => file.endsWith(".node"));
    const wrong = new Set(natives.filter((file) => !runsOn(file, settings.cpu)));
    if (natives.length > 0 && wrong.size === natives.length) {
      throw new Error(`the package in ${folder} has native code, and none of it is for Linux on ${settings.cpu}`);
    }
    mkdirSync(dirname(place), { recursive: true });
    const wanted = (file: string) => !wrong.has(file) && !isSuperfluous(file.slice(folder.length));
    cpSync(folder, place, { recursive: true, dereference: true, filter: wanted });
  }
}

/** Bytes of an unpacked function: the limit of AWS Lambda and of Vercel. */
const LARGEST = 250 * 1024 * 1024;

function checkSize(outdir: string): void {
  const sizes = readdirSync(outdir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  const size = sizes.reduce((sum, one) => sum + one, 0);
  if (size > LARGEST) throw new Error(`the function has ${Math.ceil(size / 1024 / 1024)} MiB with the packages beside it; it may have 250`);
}

/** Types and source maps, which no server reads. Packages inside of a package have their own place. */
function isSuperfluous(path: string): boolean {
  return /\.(?:d\.[cm]?ts|map|tsbuildinfo)$/.test(path) || path.split(sep).includes("node_modules");
}

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? (entry.name === "node_modules" ? [] : files(path)) : [path];
  });
}

/** Whether the installed package runs on the platform. */
function isLikeHere(cpu: Cpu): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return process.platform === "linux" && process.arch === cpu && header.glibcVersionRuntime !== undefined;
}

/** The processor in the header of an ELF file. */
const MACHINES: Record<Cpu, number> = { x64: 62, arm64: 183 };

/** Whether native code is for Linux with glibc on this processor. */
function runsOn(file: string, cpu: Cpu): boolean {
  const head = Buffer.alloc(20);
  const opened = openSync(file, "r");
  readSync(opened, head, 0, head.length, 0);
  closeSync(opened);
  if (head.toString("latin1", 0, 4) !== "\x7fELF" || head.readUInt16LE(18) !== MACHINES[cpu]) return false;
  return !readFileSync(file).includes("libc.musl-");
}

/**
 * The same packages in the same versions, installed once more for the platform. They are in a separate folder, so that
 * the project keeps those for this machine.
 */
function installedFor(packages: readonly Package[], { root, cpu }: Settings): Package[] {
  const cache = join(root, "node_modules/.cache/mcp-deploy");
  const folder = join(cache, `linux-${cpu}`);
  const dependencies = Object.fromEntries(packages.map(({ name, folder: here }) => [name, manifestOf(here).version ?? "*"]));
  const text = `${JSON.stringify({ private: true, dependencies }, null, 2)}\n`;
  const file = join(folder, "package.json");
  const done = join(folder, "node_modules/.package-lock.json");
  if (!existsSync(file) || readFileSync(file, "utf8") !== text || !existsSync(done) || statSync(done).mtimeMs < statSync(file).mtimeMs) {
    // Earlier versions of mcp-deploy kept a file of this name.
    if (statSync(cache, { throwIfNoEntry: false })?.isFile()) rmSync(cache);
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, text);
    const platform = ["--os=linux", `--cpu=${cpu}`, "--libc=glibc"];
    const npm = ["install", ...platform, "--no-audit", "--no-fund", "--no-package-lock", "--omit=dev", "--workspaces=false"];
    execFileSync("npm", npm, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  }
  return packages.map(({ name }) => {
    const found = installed(name, folder);
    if (found === undefined) throw new Error(`npm did not install \`${name}\` for Linux on ${cpu}`);
    return { name, folder: found };
  });
}
