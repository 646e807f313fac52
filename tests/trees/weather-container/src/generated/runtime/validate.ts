// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// JSON Schema 2020-12, 2019-09, and drafts 7 and 6. A schema becomes functions, each made on first use. The work is
// linear in the length of a value. References stay within the schema; `mcp-deploy check` refuses all others, and broken
// schemas.
import { FORMATS } from "./formats.ts";
import { isObject } from "./shapes.ts";
import type { Json } from "./protocol.ts";

/** The reasons why a value is invalid; `undefined`: it is valid. */
export type Check = (value: unknown) => string | undefined;

/**
 * Whether a value is valid, at its path in the whole. Adds the members that a schema looked at to `seen`, if a keyword
 * needs it.
 */
type Test = (value: unknown, run: Run, at: string, seen?: Seen) => boolean;
type Seen = Set<string | number>;

/** The longest string for a pattern: JavaScript's patterns may take more than linear time. */
const LONGEST_MATCHED = 10_000;
const MOST_REASONS = 20;
const LONGEST_REASON = 1000;
const LONGEST_PLACE = 200;
/** A string up to this length is its own name. */
const SHORT = 64;

const placed = (at: string): string => (at.length > LONGEST_PLACE ? `${at.slice(0, LONGEST_PLACE)}…` : at);

/** One check of a value: first without reasons, which is fast, then with reasons if the value is invalid. */
class Run {
  explains: boolean;
  reasons: string[] = [];
  /** Where the value is refused, whatever the schema says. */
  refusal: string | undefined;
  /** Without reasons, and with them. */
  readonly #known = [new Map<Test, Map<object, boolean>>(), new Map<Test, Map<object, boolean>>()] as const;
  readonly #names = new Map<object, string>();
  readonly #byText = new Map<string, string>();

  constructor(explains: boolean) {
    this.explains = explains;
  }

  fail(at: string, reason: string): false {
    if (this.explains) this.reasons.push(`${at}: ${reason}`.slice(0, LONGEST_REASON));
    return false;
  }

  /** Whether a string is short enough for a pattern. */
  mayMatch(text: string, what: string, at: string): boolean {
    if (text.length <= LONGEST_MATCHED) return true;
    this.refusal ??= `${at}: ${what} that has to match a pattern may have ${LONGEST_MATCHED} characters at most.`;
    return false;
  }

  /** The path of a member. A long path is cut off, because each value has one. */
  below(at: string, key: string | number): string {
    if (!this.explains || at.length > LONGEST_PLACE) return at;
    return placed(`${at}/${typeof key === "number" ? key : key.slice(0, LONGEST_PLACE).replaceAll("~", "~0").replaceAll("/", "~1")}`);
  }

  /**
   * Tests each object once with each schema that references lead to. The work does not double with each level of
   * branches.
   */
  remembered(test: Test, value: object, at: string): boolean {
    const all = this.#known[this.explains ? 1 : 0];
    const known = all.get(test) ?? new Map<object, boolean>();
    all.set(test, known);
    const before = known.get(value);
    if (before === false) return this.fail(at, "Instance does not match a schema that is referred to.");
    if (before) return true;
    const isValid = test(value, this, at);
    known.set(value, isValid);
    return isValid;
  }

  /**
   * The same string for equal values. A long one gets a name and is computed once, so that the work is linear for
   * nested values.
   */
  canonical(value: unknown): string {
    if (typeof value !== "object" || value === null) return typeof value === "string" ? JSON.stringify(value) : String(value);
    const before = this.#names.get(value);
    if (before !== undefined) return before;
    const text = isObject(value)
      ? `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${this.canonical(value[name])}`).join()}}`
      : `[${listOf(value).map((item) => this.canonical(item)).join()}]`;
    if (text.length <= SHORT) return text;
    const name = this.#byText.get(text) ?? `#${this.#byText.size}`;
    this.#byText.set(text, name);
    this.#names.set(value, name);
    return name;
  }
}

export function compile(schema: unknown): Check {
  const test = new Compiler(schema).test(schema);
  const whole = (value: unknown, explains: boolean): string | undefined => {
    const run = new Run(explains);
    const isValid = test(value, run, "#");
    if (isValid && run.refusal === undefined) return undefined;
    if (!explains) return whole(value, true);
    if (run.refusal !== undefined) return run.refusal;
    const { length } = run.reasons;
    return run.reasons.slice(0, MOST_REASONS).join("; ") + (length > MOST_REASONS ? "; and more" : "");
  };
  return (value) => whole(value, false);
}

/** Compiles the validator's code where no request is charged for it: a third of a Worker's first call. */
export function prepare(): void {
  const properties = {
    a: { type: "string", minLength: 1, maxLength: 9, pattern: "a" }, b: { type: ["integer", "null"], minimum: 1, maximum: 3 }, c: { enum: [1, "x"] },
    d: { type: "array", minItems: 1, items: { anyOf: [{ const: 1 }, { type: "boolean" }] } },
  };
  compile({ type: "object", required: ["a"], properties, additionalProperties: false })({ a: "a", b: 2, c: "x", d: [1, true] });
}

// ---- values ----

type TypeTest = (value: unknown) => boolean;

const TYPES = new Map<unknown, TypeTest>(Object.entries({
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
  array: Array.isArray,
  object: isObject,
} satisfies Record<string, TypeTest>));

const typeOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

/** Characters. JavaScript's length counts some of them as two. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}

function equals(values: readonly unknown[], told: string): Test {
  const known = new Set(values);
  const objects = values.filter((value) => typeof value === "object" && value !== null);
  const wrong = `Instance does not match ${told}.`.slice(0, LONGEST_REASON);
  const isOne = (value: unknown, run: Run) => typeof value === "object" && objects.some((object) => run.canonical(object) === run.canonical(value));
  return (value, run, at) => known.has(value) || isOne(value, run) || run.fail(at, wrong);
}

/** A number as an integer and a power of ten. */
function decimal(value: number): readonly [bigint, number] {
  const [coefficient = "", exponent = "0"] = Math.abs(value).toString().split("e");
  const [whole = "", fraction = ""] = coefficient.split(".");
  return [BigInt(whole + fraction), Number(exponent) - fraction.length];
}

function isMultiple(value: number, of: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(of)) return value % of === 0;
  if (!Number.isFinite(value)) return false; // `1e400`
  const [integer, exponent] = decimal(value);
  const [divisor, divisorExponent] = decimal(of);
  const shift = BigInt(Math.abs(exponent - divisorExponent));
  return exponent >= divisorExponent ? (integer * 10n ** shift) % divisor === 0n : integer % (divisor * 10n ** shift) === 0n;
}

const regexOf = (pattern: string): RegExp => new RegExp(pattern, "u");
const entriesOf = (value: unknown): [string, unknown][] => (isObject(value) ? Object.entries(value) : []);
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

// ---- keywords ----

class Compiler {
  readonly #root: unknown;
  readonly #isOld: boolean;
  readonly #containsSees: boolean;
  readonly #referred = new Map<unknown, Test>();

  constructor(root: unknown) {
    this.#root = root;
    const dialect = isObject(root) && typeof root["$schema"] === "string" ? root["$schema"] : "";
    this.#isOld = /\/draft-0[67]\//.test(dialect);
    this.#containsSees = !this.#isOld && !dialect.includes("/2019-09/");
  }

  /** A schema becomes functions when the first value is tested with it. */
  test(schema: unknown): Test {
    if (schema === true) return () => true;
    if (schema === false) return (_, run, at) => run.fail(at, "False boolean schema.");
    let made: Test | undefined;
    return (value, run, at, seen) => (made ??= this.#made(schema as Json))(value, run, at, seen);
  }

  #made(schema: Json): Test {
    const references = ["$ref", "$dynamicRef", "$recursiveRef"].filter((name) => typeof schema[name] === "string").map((name) => this.#reference(schema[name] as string));
    if (this.#isOld && references.length > 0) return all(references);
    const test = all([...references, ...this.#any(schema), ...this.#number(schema), ...this.#string(schema), ...this.#branches(schema), ...this.#object(schema), ...this.#array(schema)]);
    const { unevaluatedProperties, unevaluatedItems } = schema;
    if (this.#isOld || (unevaluatedProperties === undefined && unevaluatedItems === undefined)) return test;
    return this.#unevaluated(test, unevaluatedProperties, unevaluatedItems);
  }

  #reference(reference: string): Test {
    const target = this.#target(decodeURIComponent(reference.slice(1)));
    const test = this.#referred.get(target) ?? this.test(target);
    this.#referred.set(target, test);
    return (value, run, at, seen) =>
      seen || typeof value !== "object" || value === null ? test(value, run, at, seen) : run.remembered(test, value, at);
  }

  #target(fragment: string): unknown {
    const found = fragment === "" || fragment.startsWith("/")
      ? fragment.split("/").slice(1).reduce<unknown>((at, step) => (typeof at === "object" && at !== null ? (at as Json)[step.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined), this.#root)
      : anchored(this.#root, fragment);
    if (found === undefined) throw new Error(`the schema has no #${fragment}`);
    return found;
  }

  *#any({ type, const: constant, enum: values }: Json): Generator<Test> {
    if (type !== undefined) {
      const types = [type].flat().map(String);
      const tests = types.map((name) => TYPES.get(name)).filter((test) => test !== undefined);
      const [first] = tests;
      const isOne = tests.length === 1 && first ? first : (value: unknown) => tests.some((test) => test(value));
      yield (value, run, at) => isOne(value) || run.fail(at, `Instance type "${typeOf(value)}" is invalid. Expected "${types.join('", "')}".`);
    }
    if (constant !== undefined) yield equals([constant], JSON.stringify(constant));
    if (Array.isArray(values)) yield equals(values, `any of ${JSON.stringify(values)}`);
  }

  *#number({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }: Json): Generator<Test> {
    const bound = (limit: unknown, isWithin: (value: number, limit: number) => boolean, told: string): Test[] =>
      typeof limit === "number" ? [(value, run, at) => typeof value !== "number" || isWithin(value, limit) || run.fail(at, `${value} is ${told} ${limit}.`)] : [];
    yield* bound(minimum, (value, limit) => value >= limit, "less than");
    yield* bound(maximum, (value, limit) => value <= limit, "greater than");
    yield* bound(exclusiveMinimum, (value, limit) => value > limit, "less than or equal to");
    yield* bound(exclusiveMaximum, (value, limit) => value < limit, "greater than or equal to");
    yield* bound(multipleOf, isMultiple, "not a multiple of");
  }

  *#string({ minLength, maxLength, pattern, format }: Json): Generator<Test> {
    const text = (test: (text: string, run: Run, at: string) => boolean): Test => (value, run, at) => typeof value !== "string" || test(value, run, at);
    // A string has at most as many characters as its length in JavaScript, and at least half of that.
    if (typeof minLength === "number") {
      yield text((value, run, at) => value.length >= 2 * minLength || lengthOf(value) >= minLength || run.fail(at, `String is too short (${lengthOf(value)} < ${minLength}).`));
    }
    if (typeof maxLength === "number") {
      yield text((value, run, at) => value.length <= maxLength || lengthOf(value) <= maxLength || run.fail(at, `String is too long (${lengthOf(value)} > ${maxLength}).`));
    }
    if (typeof pattern === "string") {
      const regex = regexOf(pattern);
      yield text((value, run, at) => run.mayMatch(value, "a text", at) && (regex.test(value) || run.fail(at, "String does not match pattern.")));
    }
    const isFormed = FORMATS.get(format);
    if (isFormed) yield text((value, run, at) => isFormed(value) || run.fail(at, `String does not match format "${String(format)}".`));
  }

  *#branches({ allOf, anyOf, oneOf, not, if: condition, then, else: otherwise }: Json): Generator<Test> {
    for (const part of listOf(allOf)) yield this.test(part);
    for (const [list, isOne] of [[anyOf, false], [oneOf, true]] as const) {
      if (!Array.isArray(list)) continue;
      const tests = list.map((part) => this.test(part));
      yield (value, run, at, seen) => {
        const before = run.reasons;
        const reasons: string[] = [];
        run.reasons = reasons;
        let matches = 0;
        for (const test of tests) {
          if (matched(test, value, run, at, seen)) matches += 1;
          if (matches > 0 && !isOne && !seen) break;
        }
        run.reasons = before;
        if (isOne ? matches === 1 : matches > 0) return true;
        run.fail(at, isOne ? `Instance does not match exactly one subschema (${matches} matches).` : "Instance does not match any subschemas.");
        // Where too many match, the reasons of the others do not help.
        if (run.explains && matches === 0) for (const reason of reasons) run.reasons.push(reason);
        return false;
      };
    }
    if (not !== undefined) {
      const test = this.test(not);
      yield (value, run, at) => !quietly(run, () => test(value, run, at)) || run.fail(at, 'Instance matched "not" schema.');
    }
    if (condition !== undefined) {
      const [test, isThen, isElse] = [condition, then ?? true, otherwise ?? true].map((part) => this.test(part)) as [Test, Test, Test];
      yield (value, run, at, seen) => {
        const isMet = quietly(run, () => matched(test, value, run, at, seen));
        return (isMet ? isThen : isElse)(value, run, at, seen) || run.fail(at, `Instance does not match "${isMet ? "then" : "else"}" schema.`);
      };
    }
  }

  *#object(schema: Json): Generator<Test> {
    const object = (test: (value: Json, run: Run, at: string, seen?: Seen) => boolean): Test => (value, run, at, seen) => !isObject(value) || test(value, run, at, seen);
    const { required, minProperties, maxProperties, propertyNames, properties, patternProperties, additionalProperties } = schema;
    const names = listOf(required) as string[];
    if (names.length > 0) {
      yield object((value, run, at) => every(run, names, (name) => Object.hasOwn(value, name) || run.fail(at, `Instance does not have required property "${name}".`)));
    }
    const count = (value: Json): number => Object.keys(value).length;
    if (typeof minProperties === "number") yield object((value, run, at) => count(value) >= minProperties || run.fail(at, `Instance does not have at least ${minProperties} properties.`));
    if (typeof maxProperties === "number") yield object((value, run, at) => count(value) <= maxProperties || run.fail(at, `Instance has more than ${maxProperties} properties.`));
    if (propertyNames !== undefined) {
      const test = this.test(propertyNames);
      yield object((value, run, at) => every(run, Object.keys(value), (name) => test(name, run, run.explains ? `${run.below(at, name)} (the name)` : at)));
    }
    for (const keyword of this.#isOld ? ["dependencies"] : ["dependencies", "dependentRequired", "dependentSchemas"]) {
      for (const [name, needed] of entriesOf(schema[keyword])) {
        const test: Test = Array.isArray(needed)
          ? object((value, run, at) => every(run, needed as string[], (other) => Object.hasOwn(value, other) || run.fail(at, `Instance has "${name}" but does not have "${other}".`)))
          : this.test(needed);
        yield object((value, run, at, seen) => !Object.hasOwn(value, name) || test(value, run, at, seen));
      }
    }
    const known = entriesOf(properties).map(([name, part]) => [name, this.test(part)] as const);
    if (known.length > 0) {
      yield object((value, run, at, seen) => every(run, known, ([name, test]) => {
        if (!Object.hasOwn(value, name)) return true;
        seen?.add(name);
        return test(value[name], run, run.below(at, name));
      }));
    }
    const patterns = entriesOf(patternProperties).map(([pattern, part]) => [regexOf(pattern), this.test(part)] as const);
    if (patterns.length > 0) {
      yield object((value, run, at, seen) => every(run, Object.keys(value), (name) => run.mayMatch(name, "a name", at) && every(run, patterns, ([regex, test]) => {
        if (!regex.test(name)) return true;
        seen?.add(name);
        return test(value[name], run, run.below(at, name));
      })));
    }
    if (additionalProperties !== undefined) {
      const own = new Set(known.map(([name]) => name));
      const test = this.#other(additionalProperties);
      yield object((value, run, at, seen) => every(run, Object.keys(value), (name) => {
        if (own.has(name) || patterns.some(([regex]) => regex.test(name))) return true;
        seen?.add(name);
        return test(value[name], run, at, name);
      }));
    }
  }

  /** Tests a property that no other keyword names. */
  #other(schema: unknown): (value: unknown, run: Run, at: string, name: string) => boolean {
    if (schema === false) return (_, run, at, name) => run.fail(at, `Property "${name}" is not known.`);
    const test = this.test(schema);
    return (value, run, at, name) => test(value, run, run.below(at, name));
  }

  *#array({ minItems, maxItems, uniqueItems, prefixItems, items, additionalItems, contains, minContains, maxContains }: Json): Generator<Test> {
    const array = (test: (value: unknown[], run: Run, at: string, seen?: Seen) => boolean): Test => (value, run, at, seen) => !Array.isArray(value) || test(value, run, at, seen);
    if (typeof minItems === "number") yield array(({ length }, run, at) => length >= minItems || run.fail(at, `Array has too few items (${length} < ${minItems}).`));
    if (typeof maxItems === "number") yield array(({ length }, run, at) => length <= maxItems || run.fail(at, `Array has too many items (${length} > ${maxItems}).`));
    if (uniqueItems === true) {
      yield array((value, run, at) => {
        const [texts, plain] = [new Map<unknown, number>(), new Map<unknown, number>()];
        return every(run, value, (item, index) => {
          const [places, key] = typeof item === "object" ? [texts, run.canonical(item)] : [plain, item];
          const before = places.get(key);
          places.set(key, index);
          return before === undefined || run.fail(at, `Duplicate items at indexes ${before} and ${index}.`);
        });
      });
    }
    const isTuple = Array.isArray(items);
    const first = (this.#isOld || prefixItems === undefined ? listOf(items) : listOf(prefixItems)).map((part) => this.test(part));
    const rest = isTuple ? additionalItems : items;
    const others = rest === undefined ? undefined : this.test(rest);
    if (first.length > 0 || others) {
      yield array((value, run, at, seen) => every(run, value, (item, index) => {
        const test = first[index] ?? others;
        if (!test) return true;
        seen?.add(index);
        return test(item, run, run.below(at, index));
      }));
    }
    if (contains === undefined) return;
    const test = this.test(contains);
    const least = !this.#isOld && typeof minContains === "number" ? minContains : 1;
    const most = !this.#isOld && typeof maxContains === "number" ? maxContains : Infinity;
    yield array((value, run, at, seen) => {
      let found = 0;
      quietly(run, () => value.forEach((item, index) => {
        if (!test(item, run, at)) return;
        found += 1;
        if (this.#containsSees) seen?.add(index);
      }));
      if (found > most) return run.fail(at, `Array may contain at most ${most} items matching schema. ${found} items were found.`);
      return found >= least || run.fail(at, least === 1 ? "Array does not contain item matching schema." : `Array must contain at least ${least} items matching schema. Only ${found} items were found.`);
    });
  }

  /** What neither the keywords beside it nor schemas for the same value have looked at. */
  #unevaluated(test: Test, properties: unknown, items: unknown): Test {
    const ofProperty = this.#other(properties ?? true);
    const ofItem = this.test(items ?? true);
    return (value, run, at, outer) => {
      const seen: Seen = new Set();
      // Only after a match: a branch that fails has looked at nothing, so all its properties would seem unknown.
      let isValid = test(value, run, at, seen);
      if (isValid && isObject(value) && properties !== undefined) {
        isValid = every(run, Object.keys(value), (name) => seen.has(name) || (seen.add(name), ofProperty(value[name], run, at, name)));
      } else if (isValid && Array.isArray(value) && items !== undefined) {
        isValid = every(run, value, (item, index) => seen.has(index) || (seen.add(index), ofItem(item, run, run.below(at, index))));
      }
      if (outer) for (const member of seen) outer.add(member);
      return isValid;
    };
  }
}

/** Continues after the first failure only if reasons are wanted. Stops once the value is refused. */
function every<T>(run: Run, list: readonly T[], test: (item: T, index: number) => boolean): boolean {
  let isValid = true;
  for (let index = 0; index < list.length && run.refusal === undefined && (isValid || (run.explains && run.reasons.length <= MOST_REASONS)); index += 1) isValid = test(list[index]!, index) && isValid;
  return isValid;
}

const all = (tests: readonly Test[]): Test => {
  const [only] = tests;
  return tests.length === 1 && only ? only : (value, run, at, seen) => every(run, tests, (test) => test(value, run, at, seen));
};

/** A schema that does not match has looked at nothing. */
function matched(test: Test, value: unknown, run: Run, at: string, seen: Seen | undefined): boolean {
  if (!seen) return test(value, run, at);
  const own: Seen = new Set();
  if (!test(value, run, at, own)) return false;
  for (const member of own) seen.add(member);
  return true;
}

/** Without reasons, which mean nothing where a schema need not match. */
function quietly<T>(run: Run, test: () => T): T {
  const { explains } = run;
  run.explains = false;
  const result = test();
  run.explains = explains;
  return result;
}

function anchored(schema: unknown, name: string): unknown {
  if (typeof schema !== "object" || schema === null) return undefined;
  const { $anchor, $dynamicAnchor, $id } = schema as Json;
  if ($anchor === name || $dynamicAnchor === name || $id === `#${name}`) return schema;
  for (const part of Object.values(schema)) {
    const found = anchored(part, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
