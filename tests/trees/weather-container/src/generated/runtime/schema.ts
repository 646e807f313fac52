// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Checks values against the schemas of mcp.toml, and fills in defaults. Schemas are compiled on first use.
import { once } from "./manifest.ts";
import type { Json } from "./protocol.ts";
import { isObject } from "./shapes.ts";
import { compile } from "./validate.ts";

export const checkOf = once(compile);

// ---- defaults ----

const defaultsOf = once((schema: Json) => {
  const properties = isObject(schema["properties"]) ? Object.entries(schema["properties"]) : [];
  return properties.flatMap(([name, property]) => (isObject(property) && "default" in property ? [[name, property["default"]] as const] : []));
});

/** The input with the defaults of top-level properties: the validator itself changes nothing. */
export function withDefaults(schema: Json, input: Json): Json {
  const filled = { ...input };
  for (const [name, value] of defaultsOf(schema)) if (!Object.hasOwn(filled, name)) filled[name] = typeof value === "object" ? structuredClone(value) : value;
  return filled;
}

/** Counts the values in a value, up to `most`. */
export function elementsIn(value: unknown, most: number): number {
  let count = 0;
  const left = [value];
  while (left.length > 0 && count <= most) {
    const next = left.pop();
    if (typeof next !== "object" || next === null) continue;
    for (const part of Object.values(next)) {
      count += 1;
      if (typeof part === "object" && part !== null) left.push(part);
    }
  }
  return count;
}
