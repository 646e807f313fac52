// The official test suite of JSON Schema, which the source distribution of Python's `jsonschema` brings along.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FORMATS } from "../../templates/runtime/formats.ts";
import type { Json } from "../../templates/runtime/protocol.ts";
import { isObject } from "../../templates/runtime/shapes.ts";
import { compile } from "../../templates/runtime/validate.ts";

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[];
}

const SUITE = process.env["JSON_SCHEMA_SUITE"] ?? assert.fail("JSON_SCHEMA_SUITE has to name the folder `json/tests` of jsonschema-4.25.1.tar.gz (pip download --no-deps --no-binary :all: jsonschema==4.25.1)");
/** The least number of tests that run, of each dialect. */
const DIALECTS = [
  ["draft2020-12", "https://json-schema.org/draft/2020-12/schema", 1450],
  ["draft2019-09", "https://json-schema.org/draft/2019-09/schema", 1450],
  ["draft7", "http://json-schema.org/draft-07/schema#", 1100],
  ["draft6", "http://json-schema.org/draft-06/schema#", 900],
] as const;

/** What `mcp-deploy check` refuses: identifiers below the root, and references to other schemas. */
function isRefused(schema: unknown, isRoot = true): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  const { $id, $ref, $dynamicRef, $schema } = schema as Json;
  if ([$ref, $dynamicRef].some((reference) => typeof reference === "string" && !reference.startsWith("#"))) return true;
  if (typeof $id === "string" && !isRoot && !$id.startsWith("#")) return true;
  if (typeof $schema === "string" && !DIALECTS.some(([, uri]) => uri.startsWith($schema.replace(/#$/, "")))) return true;
  return Object.values(schema).some((part) => isRefused(part, false));
}

/** Formats are asserted, so tests that want them as annotations are others' alone. */
const isAnnotation = (file: string): boolean => file === "format.json";

function groupsOf(folder: string): [string, Group][] {
  const formats = [...FORMATS.keys()].map((name) => `optional/format/${String(name)}.json`);
  const optional = ["bignum", "ecmascript-regex", "float-overflow", "no-schema", "non-bmp-regex"].map((name) => `optional/${name}.json`);
  const files = [...readdirSync(join(SUITE, folder)).filter((name) => name.endsWith(".json") && !isAnnotation(name)), ...formats, ...optional];
  return files.filter((file) => existsSync(join(SUITE, folder, file)))
    .flatMap((file) => (JSON.parse(readFileSync(join(SUITE, folder, file), "utf8")) as Group[]).map((group): [string, Group] => [file, group]));
}

for (const [folder, dialect, least] of DIALECTS) {
  test(`the official suite, ${folder}`, () => {
    const wrong: string[] = [];
    let ran = 0;
    for (const [file, { description, schema, tests }] of groupsOf(folder)) {
      if (isRefused(schema)) continue;
      const check = compile(isObject(schema) ? { $schema: dialect, ...schema } : schema);
      for (const { description: of, data, valid } of tests) {
        ran += 1;
        if ((check(data) === undefined) !== valid) wrong.push(`${file}: ${description}: ${of}`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(ran >= least, `${ran} tests ran`);
  });
}
