import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../templates/runtime/protocol.ts";
import { checkOf, elementsIn, withDefaults } from "../../templates/runtime/schema.ts";

const bounded = { timeout: 20_000 };
const deep = (levels: number, inside: unknown, key = "a"): unknown => (levels === 0 ? inside : { [key]: deep(levels - 1, inside, key) });

test("unique items are compared in linear time", bounded, () => {
  const unique = { type: "array", uniqueItems: true };
  const many = Array.from({ length: 20_000 }, (_, index) => ({ a: index, b: [index] }));
  const schemas: Json[] = [
    unique, { allOf: [unique] }, { anyOf: [{ type: "string" }, unique] }, { oneOf: [unique] }, { if: true, then: unique }, { $ref: "#/$defs/u", $defs: { u: unique } },
    { $ref: "#u", $defs: { u: { $anchor: "u", ...unique } } }, { $defs: { "a/b~c": unique }, $ref: "#/$defs/a~1b~0c" }, { $schema: "http://json-schema.org/draft-07/schema#", $ref: "#/definitions/u", definitions: { u: unique } },
  ];
  for (const schema of schemas) {
    assert.equal(checkOf(schema)(many), undefined, JSON.stringify(schema));
    assert.match(checkOf(schema)([...many, { b: [19_000], a: 19_000 }]) ?? "", /Duplicate items at indexes 19000 and 20000/, JSON.stringify(schema));
  }
  assert.equal(checkOf(unique)([1, "1", true, null, [1], ["1"], { a: 1 }, { a: "1" }]), undefined);
  for (const twice of [[1, 1.0], [0, -0], ["a", "\u0061"], [null, null], [{ a: 1, b: 2 }, { b: 2, a: 1 }]]) assert.match(checkOf(unique)(twice) ?? "", /Duplicate/);
});

test("long texts are not matched to a pattern", bounded, () => {
  const long = "a".repeat(10_001);
  for (const schema of [{ pattern: "^a+$" }, { not: { pattern: "^b" } }, { anyOf: [{ pattern: "^a+$" }, { type: "string" }] }]) {
    assert.match(checkOf(schema)(long) ?? "", /may have 10000 characters/);
    assert.equal(checkOf(schema)(long.slice(1)), undefined);
  }
  assert.match(checkOf({ patternProperties: { "^b": true } })({ [long]: 1 }) ?? "", /a name that has to match/);
  assert.match(checkOf({ propertyNames: { pattern: "^a*$" } })({ [long]: 1 }) ?? "", /may have 10000 characters/);
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
  const twice = (schema: Json): Json => ({ $ref: "#/$defs/t", $defs: { t: schema } });
  const again = { properties: { a: { $ref: "#/$defs/t" } } };
  const schemas = [
    twice({ oneOf: [{ type: "string" }, { ...again, required: ["b"] }, again] }), twice({ anyOf: [again, again] }), twice({ allOf: [again, again] }), twice({ not: { not: { allOf: [again, again] } } }),
    twice({ if: again, then: again }), twice({ anyOf: [again, again], unevaluatedProperties: false }), { anyOf: [{ properties: { a: { $ref: "#" } } }, { properties: { a: { $ref: "#" } } }] },
  ];
  const known = schemas.map((schema) => checkOf(schema)(deep(3, {})) === undefined);
  assert.deepEqual(known, [true, true, true, true, true, true, true]);
  for (const [index, schema] of schemas.entries()) {
    assert.equal(checkOf(schema)(deep(100, {})) === undefined, known[index], JSON.stringify(schema));
    assert.equal(checkOf(schema)(deep(100, { c: 1 })) === undefined, checkOf(schema)(deep(3, { c: 1 })) === undefined);
  }
  const parts = ["and", "or", "not"].map((key) => ({ type: "object", properties: { [key]: { $ref: "#/$defs/f" } }, required: [key] }));
  const filter = { $ref: "#/$defs/f", $defs: { f: { oneOf: [...parts, { type: "string" }] } } };
  assert.equal(checkOf(filter)(deep(60, "x", "and")), undefined);
  assert.match(checkOf(filter)(deep(60, 1, "and")) ?? "", /exactly one/);
  assert.equal(checkOf({ items: { pattern: "^a" } })(Array.from({ length: 50_000 }, () => "abc")), undefined);
});

test("what is wrong is told in few words", bounded, () => {
  const wrong = checkOf({ items: { type: "string" } })(Array.from({ length: 1000 }, () => 1)) ?? "";
  assert.match(wrong, /^#\/0: Instance type "number" is invalid. Expected "string".; #\/1: .*; and more$/);
  assert.ok(wrong.length < 2000);
  assert.ok((checkOf({ additionalProperties: false })({ ["x".repeat(100_000)]: 1 }) ?? "").length < 5000);
  assert.equal(checkOf({ required: ["b"], properties: { a: { type: "string" } }, additionalProperties: false })({ a: 1, c: 2 }),
    '#: Instance does not have required property "b".; #/a: Instance type "number" is invalid. Expected "string".; #: Property "c" is not known.');
  assert.match(checkOf({ $ref: "#/$defs/t", $defs: { t: { properties: { a: { $ref: "#/$defs/t" } }, type: "object" } } })(deep(120, 1)) ?? "", /^(#\/a|#\/a[/a]+…): Instance type "number"/);
  // A branch that did not match says nothing where another did.
  assert.equal(checkOf({ anyOf: [{ type: "string" }, { type: "number" }], maximum: 3 })(4), "#: 4 is greater than 3.");
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
