// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// JSON Schema: values are checked against the manifest's schemas, which are compiled on first use, with a bound on the work.
import { format, Validator } from "@cfworker/json-schema";
import { once } from "./manifest.ts";
import { isObject } from "./shapes.ts";
import type { Json } from "./protocol.ts";

/** What is wrong with a value; `undefined`: nothing. */
export type Check = (value: unknown) => string | undefined;

// The validator's own takes exponential time: 1.4 s for an address of 22 characters.
format["url"] = (text) => /^(?:https?|ftp):\/\/\S+$/i.test(text) && URL.canParse(text);

const DRAFTS: Readonly<Record<string, "2019-09" | "7">> = {
  "https://json-schema.org/draft/2019-09/schema": "2019-09",
  "http://json-schema.org/draft-07/schema": "7",
  "http://json-schema.org/draft-06/schema": "7",
};

export const checkOf = once((schema: Json): Check => {
  const dialect = typeof schema["$schema"] === "string" ? schema["$schema"].replace(/#$/, "") : "";
  const validator = new Validator(schema, DRAFTS[dialect] ?? "2020-12", true);
  const isCostly = hasCostly(schema);
  return (value) => {
    if (isCostly) {
      const bounds = new Bounds(schema);
      const refused = bounds.exceeded(schema, value, "#");
      if (refused !== undefined) return refused;
      if (bounds.isTooMuch(value)) return "#: the value is too deep for a schema that refers to itself more than once.";
    }
    const { valid, errors } = validator.validate(value);
    return valid ? undefined : told(errors);
  };
});

/** Each level of a value adds an error with its whole path: all of them may be a thousand times as long as the value. */
function told(errors: readonly { readonly instanceLocation: string; readonly error: string }[]): string {
  const first = errors.slice(0, MOST_TOLD).map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`.slice(0, LONGEST_TOLD));
  return errors.length > MOST_TOLD ? `${first.join("; ")}; and ${errors.length - MOST_TOLD} more` : first.join("; ");
}

// ---- bounds ----

/** Some keywords cost more than the length of what they look at. Longer values are refused where such a keyword applies. */
const LONGEST_MATCHED = 10_000;
const MOST_UNIQUE = 500;
/** A schema that refers to itself more than once doubles the work with each level of a value: how often a value may be looked at in all, and by each schema. */
const MOST_WORK = 100_000;
const MOST_AGAIN = 20;
const MOST_TOLD = 20;
const LONGEST_TOLD = 1000;
const COSTLY = ["pattern", "patternProperties", "$ref", "$dynamicRef", "$recursiveRef"];

const hasCostly = (schema: unknown): boolean =>
  typeof schema === "object" && schema !== null &&
  (("uniqueItems" in schema && schema.uniqueItems === true) || COSTLY.some((keyword) => keyword in schema) || Object.values(schema).some(hasCostly));

/** Follows a value through all of the schemas that may apply to it, whether they do or not. */
class Bounds {
  readonly #root: Json;
  readonly #seen = new Map<unknown, Set<unknown>>();
  readonly #work = new Map<unknown, Map<unknown, number>>();
  #pairs = 0;

  constructor(root: Json) {
    this.#root = root;
  }

  exceeded(schema: unknown, value: unknown, at: string): string | undefined {
    if (!isObject(schema) || this.#isSeen(schema, value)) return undefined;
    if (typeof value === "string" && value.length > LONGEST_MATCHED && "pattern" in schema) {
      return `${at}: a text that has to match a pattern may have ${LONGEST_MATCHED} characters.`;
    }
    if (Array.isArray(value) && value.length > MOST_UNIQUE && schema["uniqueItems"] === true) {
      return `${at}: an array of unique items may have ${MOST_UNIQUE}.`;
    }
    for (const beside of this.#beside(schema)) {
      const refused = this.exceeded(beside, value, at);
      if (refused !== undefined) return refused;
    }
    if (typeof value !== "object" || value === null) return undefined;
    for (const [name, member] of Object.entries(value)) {
      if (!Array.isArray(value) && name.length > LONGEST_MATCHED && ("patternProperties" in schema || "propertyNames" in schema)) {
        return `${at}: a name that has to match a pattern may have ${LONGEST_MATCHED} characters.`;
      }
      for (const below of this.#below(schema, name, Array.isArray(value))) {
        const refused = this.exceeded(below, member, `${at}/${name}`);
        if (refused !== undefined) return refused;
      }
    }
    return undefined;
  }

  /** Whether the validator, which remembers nothing, would look at the same values again and again. */
  isTooMuch(value: unknown): boolean {
    const work = this.#count(this.#root, value);
    return work > MOST_WORK && work > MOST_AGAIN * this.#pairs;
  }

  /** How often it looks at a value with a schema, and at what is inside. */
  #count(schema: unknown, value: unknown): number {
    if (!isObject(schema)) return 0;
    let known = this.#work.get(schema);
    if (!known) this.#work.set(schema, (known = new Map()));
    const before = known.get(value);
    if (before !== undefined) {
      // Equal texts and numbers are many values.
      if (typeof value !== "object") this.#pairs += before;
      return before;
    }
    this.#pairs += 1;
    known.set(value, 0);
    let sum = 1;
    for (const beside of this.#beside(schema)) sum += this.#count(beside, value);
    if (typeof value === "object" && value !== null) {
      for (const [name, member] of Object.entries(value)) for (const below of this.#below(schema, name, Array.isArray(value))) sum += this.#count(below, member);
    }
    known.set(value, sum);
    return sum;
  }

  #isSeen(schema: Json, value: unknown): boolean {
    const seen = this.#seen.get(schema) ?? new Set();
    this.#seen.set(schema, seen);
    if (seen.has(value)) return true;
    seen.add(value);
    return false;
  }

  /** The schemas for the same value. */
  *#beside(schema: Json): Generator<unknown> {
    for (const name of ["allOf", "anyOf", "oneOf"]) if (Array.isArray(schema[name])) yield* schema[name];
    for (const name of ["not", "if", "then", "else"]) yield schema[name];
    for (const name of ["dependentSchemas", "dependencies"]) if (isObject(schema[name])) yield* Object.values(schema[name]);
    for (const name of ["$ref", "$dynamicRef", "$recursiveRef"]) if (typeof schema[name] === "string") yield this.#target(schema[name]);
  }

  /** The schemas for a member of an object, or an entry of an array. */
  *#below(schema: Json, name: string, isArray: boolean): Generator<unknown> {
    if (isArray) {
      const { items, prefixItems, additionalItems } = schema;
      const first = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : [];
      yield Number(name) < first.length ? first[Number(name)] : Array.isArray(items) ? additionalItems : items;
      yield schema["contains"];
      yield schema["unevaluatedItems"];
      return;
    }
    const { properties, patternProperties } = schema;
    if (isObject(patternProperties)) yield* Object.values(patternProperties);
    if (isObject(properties) && Object.hasOwn(properties, name)) return yield properties[name];
    yield schema["additionalProperties"];
    yield schema["unevaluatedProperties"];
  }

  /** `check` lets in references within the schema alone: by a pointer or by the name of an anchor. */
  #target(reference: string): unknown {
    if (!reference.startsWith("#")) return undefined;
    if (reference === "#" || reference.startsWith("#/")) {
      const steps = reference.split("/").slice(1).map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
      return steps.reduce<unknown>((found, step) => (typeof found === "object" && found !== null ? (found as Json)[step] : undefined), this.#root);
    }
    return anchored(this.#root, reference.slice(1));
  }
}

function anchored(schema: unknown, name: string): unknown {
  if (typeof schema !== "object" || schema === null) return undefined;
  const { $anchor, $dynamicAnchor } = schema as Json;
  if ($anchor === name || $dynamicAnchor === name) return schema;
  for (const part of Object.values(schema)) {
    const found = anchored(part, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

// ---- defaults ----

const defaultsOf = once((schema: Json) => {
  const properties = isObject(schema["properties"]) ? Object.entries(schema["properties"]) : [];
  return properties.flatMap(([name, property]) => (isObject(property) && "default" in property ? [[name, property["default"]] as const] : []));
});

/** The input with the defaults of top-level properties filled in: the validator only validates. */
export function withDefaults(schema: Json, input: Json): Json {
  const filled = { ...input };
  for (const [name, value] of defaultsOf(schema)) if (!Object.hasOwn(filled, name)) filled[name] = typeof value === "object" ? structuredClone(value) : value;
  return filled;
}

/** Values in a value, counted no further than to `most`. */
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
