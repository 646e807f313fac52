import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../templates/runtime/protocol.ts";
import { checkOf, elementsIn, withDefaults } from "../../templates/runtime/schema.ts";

const bounded = { timeout: 20_000 };
const deep = (levels: number, inside: unknown, key = "a"): unknown => (levels === 0 ? inside : { [key]: deep(levels - 1, inside, key) });

test("unique items are compared as far as a bound", bounded, () => {
  const unique = { type: "array", uniqueItems: true };
  const many = Array.from({ length: 60_000 }, (_, index) => index);
  const schemas: Json[] = [
    unique, { allOf: [unique] }, { anyOf: [{ type: "string" }, unique] }, { oneOf: [unique] }, { not: unique }, { if: unique }, { then: unique, if: true }, { $ref: "#/$defs/u", $defs: { u: unique } },
    { $ref: "#u", $defs: { u: { $anchor: "u", ...unique } } }, { $defs: { "a/b~c": unique }, $ref: "#/$defs/a~1b~0c" }, { $schema: "http://json-schema.org/draft-07/schema#", $ref: "#/definitions/u", definitions: { u: unique } },
  ];
  for (const schema of schemas) assert.match(checkOf(schema)(many) ?? "", /an array of unique items may have 500/, JSON.stringify(schema));
  const inside: Json[] = [
    { properties: { a: unique } }, { additionalProperties: unique }, { patternProperties: { "^a": unique } }, { unevaluatedProperties: unique }, { dependentSchemas: { a: { properties: { a: unique } } } },
    { $schema: "http://json-schema.org/draft-07/schema#", dependencies: { a: { properties: { a: unique } } } },
  ];
  for (const schema of inside) assert.match(checkOf(schema)({ a: many }) ?? "", /#\/a: an array of unique items/, JSON.stringify(schema));
  for (const schema of [{ items: unique }, { prefixItems: [unique] }, { contains: unique }, { unevaluatedItems: unique }]) assert.match(checkOf(schema)([many]) ?? "", /unique items/, JSON.stringify(schema));
  assert.match(checkOf({ prefixItems: [true], items: unique })([1, many]) ?? "", /unique items/);
  assert.equal(checkOf(unique)(many.slice(0, 500)), undefined);
  assert.match(checkOf(unique)([1, 2, 1]) ?? "", /Duplicate items/);
});

test("long texts are not matched to a pattern", bounded, () => {
  const long = "a".repeat(10_001);
  for (const schema of [{ pattern: "^a+$" }, { anyOf: [{ pattern: "^a+$" }, { type: "number" }] }]) {
    assert.match(checkOf(schema)(long) ?? "", /may have 10000 characters/);
    assert.equal(checkOf(schema)(long.slice(1)), undefined);
  }
  assert.match(checkOf({ patternProperties: { "^b": true } })({ [long]: 1 }) ?? "", /a name that has to match/);
  assert.match(checkOf({ propertyNames: { pattern: "^a*$" } })({ [long]: 1 }) ?? "", /a name that has to match/);
  assert.equal(checkOf({ properties: { a: { pattern: "^a$" }, b: {} } })({ a: "a", b: long }), undefined, "where no pattern applies a text may be long");
});

test("a format takes linear time", bounded, () => {
  for (const format of ["url", "uri", "uri-reference", "uri-template", "email", "hostname", "ipv4", "ipv6", "regex", "date-time", "duration", "uuid", "json-pointer"]) {
    for (const text of [`http://${"a".repeat(60)}!`, `http://${"a".repeat(100_000)}!`, "a@".repeat(50_000), `"${"\\a".repeat(50_000)}`, "1:".repeat(50_000), "a.".repeat(50_000)]) checkOf({ format })(text);
  }
  const url = checkOf({ format: "url" });
  for (const good of ["https://example.com", "http://example.com/a?b=c#d", "ftp://example.com/x"]) assert.equal(url(good), undefined, good);
  for (const bad of ["example.com", "javascript:alert(1)", "http://", "http://a b"]) assert.notEqual(url(bad), undefined, bad);
});

test("a schema that refers to itself twice does not double the work with each level", bounded, () => {
  const tree = { $ref: "#/$defs/t", $defs: { t: { oneOf: [{ type: "string" }, { properties: { a: { $ref: "#/$defs/t" } }, required: ["b"] }, { properties: { a: { $ref: "#/$defs/t" } } }] } } };
  assert.match(checkOf(tree)(deep(100, "x")) ?? "", /too deep for a schema/);
  assert.match(checkOf({ $defs: {}, properties: { a: { anyOf: [{ $ref: "#" }, { $ref: "#" }] } } })(deep(100, "x")) ?? "", /too deep for a schema/);
  // One that refers to itself once may be as deep as a message.
  assert.equal(checkOf({ properties: { a: { $ref: "#" } } })(deep(100, "x")), undefined);
  assert.equal(checkOf({ type: ["object", "string"], additionalProperties: { $ref: "#" }, properties: { b: { $ref: "#" } } })(deep(100, "x")), undefined);
  const parts = ["and", "or", "not"].map((key) => ({ type: "object", properties: { [key]: { $ref: "#/$defs/f" } }, required: [key] }));
  const filter = { $ref: "#/$defs/f", $defs: { f: { oneOf: [...parts, { type: "string" }] } } };
  assert.equal(checkOf(filter)(deep(60, "x", "and")), undefined);
  assert.equal(checkOf({ items: { pattern: "^a" } })(Array.from({ length: 50_000 }, () => "abc")), undefined, "long lists are no deep ones");
});

test("what is wrong is told in few words", bounded, () => {
  const tree = { $ref: "#/$defs/t", $defs: { t: { type: "object", properties: { a: { $ref: "#/$defs/t" } } } } };
  const told = checkOf(tree)(deep(120, 1)) ?? "";
  assert.match(told, /; and \d+ more$/);
  assert.ok(told.length < 10_000);
  assert.ok((checkOf({ additionalProperties: false })({ ["x".repeat(100_000)]: 1 }) ?? "").length < 5000);
});

test("defaults are filled in, each time anew", () => {
  const schema = { type: "object", properties: { list: { default: [1] }, text: { default: "a" }, none: {}, nothing: { default: null } } };
  const first = withDefaults(schema, {});
  assert.deepEqual(first, { list: [1], text: "a", nothing: null });
  (first["list"] as number[]).push(2);
  assert.deepEqual(withDefaults(schema, { text: "b" }), { list: [1], text: "b", nothing: null });
  const named = withDefaults(schema, JSON.parse('{"__proto__":{"text":"x"}}') as Json);
  assert.equal(Object.getPrototypeOf(named), Object.prototype);
});

test("elements are counted no further than needed", () => {
  assert.equal(elementsIn({ a: [1, 2, { b: 3 }] }, 100), 5);
  assert.ok(elementsIn(Array.from({ length: 1000 }, () => 0), 10) > 10);
});

test("`__proto__` is a property like any other", () => {
  const check = checkOf({ type: "object", properties: {}, additionalProperties: false });
  assert.match(check(JSON.parse('{"__proto__":1}')) ?? "", /__proto__/);
});
