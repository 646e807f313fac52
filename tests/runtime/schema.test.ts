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
  for (const other of [["#0", {}], [[], ["#0"], "[]"], [{ a: [] }, { a: {} }, { a: "#0" }], [[1, [2]], [[1], 2], [1, 2]]]) assert.equal(checkOf(unique)(other), undefined);
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
  assert.match(checkOf({ properties: { a: { items: { pattern: "^a+$" } } } })({ a: ["a", long] }) ?? "", /^#\/a\/1: a text that has to match a pattern may have 10000 characters at most\.$/);
  // Not even where an earlier reason is given.
  assert.match(checkOf({ required: ["b"], patternProperties: { "a+b": true }, additionalProperties: false })({ ["a".repeat(1_000_000)]: 1 }) ?? "", /a name that has to match/);
});

test("a format takes linear time", bounded, () => {
  for (const format of ["url", "uri", "uri-reference", "uri-template", "email", "hostname", "ipv4", "ipv6", "regex", "date-time", "duration", "uuid", "json-pointer"]) {
    for (const text of [`http://${"a".repeat(60)}!`, `http://${"a".repeat(100_000)}!`, "a@".repeat(50_000), `"${"\\a".repeat(50_000)}`, "1:".repeat(50_000), "a.".repeat(50_000)]) checkOf({ format })(text);
  }
  const url = checkOf({ format: "url" });
  assert.notEqual(url(`http://a${"\u0301\u0323".repeat(100_000)}`), undefined);
  assert.equal(url(`http://é.example/${"\u0301".repeat(100_000)}`), undefined);
  assert.equal(checkOf({ format: "regex" })("[^\\p{L}\\p{N}]".repeat(100_000)), undefined);
  for (const good of ["https://example.com", "http://example.com/a?b=c#d", "ftp://example.com/x", "https://例え.example"]) assert.equal(url(good), undefined, good);
  for (const bad of ["example.com", "javascript:alert(1)", "http://", "http://a b"]) assert.notEqual(url(bad), undefined, bad);
  for (const bad of ["\\p{Nope}", "[\\p{L}-z]", "\\p{L", "\\pL", "("]) assert.notEqual(checkOf({ format: "regex" })(bad), undefined, bad);
  for (const good of ["\\\\p", "[\\p{L}a-z]{2}", "\\P{Script=Greek}"]) assert.equal(checkOf({ format: "regex" })(good), undefined, good);
  for (const bad of ["{.}", "{a..b}", "{a.}"]) assert.notEqual(checkOf({ format: "uri-template" })(bad), undefined, bad);
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

test("a value that nests is compared once, however many of its levels are", () => {
  let reads = 0;
  let lists: unknown = { text: "a".repeat(100), get a() { return (reads += 1); } };
  for (let level = 0; level < 120; level++) lists = [lists];
  assert.equal(checkOf({ uniqueItems: true, items: { $ref: "#" } })(lists), undefined);
  assert.equal(reads, 1);
  assert.equal(checkOf({ $ref: "#/$defs/t", $defs: { t: { anyOf: [{ enum: [{ a: 1 }] }, { items: { $ref: "#/$defs/t" } }] } } })(lists), undefined);
  assert.equal(reads, 2);
  const known = checkOf({ enum: [{ a: [1, {}] }, [], null] });
  for (const good of [{ a: [1, {}] }, [], null]) assert.equal(known(good), undefined);
  for (const bad of [{ a: [1, []] }, { a: [1] }, [[]], {}, "[]", "#1"]) assert.notEqual(known(bad), undefined);
});

test("reasons that nobody hears cost nothing", bounded, () => {
  const ones = Array.from({ length: 300_000 }, () => 1);
  const long = Array.from({ length: 1000 }, (_, index) => `value number ${index}`);
  assert.equal(checkOf({ contains: { enum: long } })(ones), "#: Array does not contain item matching schema.");
  assert.equal(checkOf({ not: { items: { anyOf: [{ enum: long }, { type: "number" }] } } })(ones), '#: Instance matched "not" schema.');
  const named = checkOf({ required: ["b"], additionalProperties: { items: { anyOf: [{ type: "string" }, { type: "number" }] } } });
  assert.equal(named({ ["a".repeat(300_000)]: ones }), '#: Instance does not have required property "b".');
});

test("a reason never points to a valid part", () => {
  const two = checkOf({ oneOf: [{ type: "number" }, { minimum: 1 }, { type: "string" }] });
  assert.equal(two(2), "#: Instance does not match exactly one subschema (2 matches).");
  const known = checkOf({ anyOf: [{ properties: { a: { type: "number" } }, required: ["b"] }], unevaluatedProperties: false });
  assert.equal(known({ a: 1 }), '#: Instance does not match any subschemas.; #: Instance does not have required property "b".');
  assert.equal(known({ a: 1, b: 2 }), '#: Property "b" is not known.');
  const again = checkOf({ if: { $ref: "#/$defs/a" }, else: { $ref: "#/$defs/a" }, $defs: { a: { required: ["b"] } } });
  assert.equal(again({}), '#: Instance does not have required property "b".; #: Instance does not match "else" schema.');
  assert.equal(checkOf({ propertyNames: { pattern: "^b" } })({ a: "b" }), "#/a (the name): String does not match pattern.");
  assert.equal(checkOf({ multipleOf: 2 })(JSON.parse("1e400")), "#: Infinity is not a multiple of 2.");
});

test("the reasons are short", bounded, () => {
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
