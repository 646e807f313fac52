// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Puts a long manifest into a bundle. Only `bundle.ts` uses this; no server imports it.
import { readFileSync } from "node:fs";
import type { Plugin } from "esbuild";

/** From this number of characters on it is worth it. */
const LONG = 50_000;

/**
 * JavaScript reads JSON in a third of the time that it takes for the same value as code. With a thousand tools that is
 * a fifth of the first answer.
 */
export const manifestAsJson: Plugin = {
  name: "manifest",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]generated[\\/]manifest\.ts$/ }, ({ path }) => {
      const [, json = ""] = /^export const manifest: Manifest = (\{[^]*\});$/m.exec(readFileSync(path, "utf8")) ?? [];
      if (json.length < LONG) return undefined;
      return { contents: `export const manifest = JSON.parse(${JSON.stringify(JSON.stringify(JSON.parse(json)))});`, loader: "js", watchFiles: [path] };
    });
  },
};
