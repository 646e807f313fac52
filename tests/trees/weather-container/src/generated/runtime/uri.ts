// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// URI templates (RFC 6570), matched in linear time: an address is compared from its end, once for each part.

interface Part {
  /** A literal, or a variable. */
  readonly text?: string;
  readonly name: string;
  /** Which characters the variable takes. */
  readonly takes: (character: string) => boolean;
  readonly isList: boolean;
}

/** Characters of an address. JavaScript takes more than linear time for a host that is not ASCII. */
export const LONGEST = 8192;
const isSegment = (character: string) => character !== "/" && character !== ",";

export class UriTemplate {
  readonly #parts: readonly Part[];
  /** The variables of a `{?a,b}` at the end. Each is optional. */
  readonly #query: readonly string[];

  constructor(template: string) {
    const [, path = template, query = ""] = /^(.*?)\{[?&]([^{}]*)\}$/.exec(template) ?? [];
    this.#query = query === "" ? [] : query.split(",").map((name) => name.replace("*", "").trim());
    this.#parts = [...path.matchAll(/\{([+#./]?)([^{}]*)\}|[^{]+/g)].flatMap(partsOf);
  }

  /** The decoded variables of an address; `undefined`: it does not match this template. */
  match(address: string): Record<string, string | string[]> | undefined {
    if (address.length > LONGEST) return undefined;
    const mark = this.#query.length > 0 ? address.indexOf("?") : -1;
    const found = this.#matchPath(mark === -1 ? address : address.slice(0, mark));
    if (!found) return undefined;
    try {
      const variables: Record<string, string | string[]> = {};
      for (const [name, value] of found) variables[name] = Array.isArray(value) ? value.map(decodeURIComponent) : decodeURIComponent(value);
      for (const pair of mark === -1 || mark + 1 === address.length ? [] : address.slice(mark + 1).split("&")) {
        const [name = "", value] = pair.split(/=(.*)/s);
        // An unknown variable does not match: without it the client would get another part of the resource than it
        // meant.
        if (!this.#query.includes(name) || Object.hasOwn(variables, name) || value === undefined) return undefined;
        variables[name] = decodeURIComponent(value);
      }
      return variables;
    } catch {
      return undefined; // a malformed escape names nothing
    }
  }

  /** Each variable takes as much as leaves enough for those after it, like the greedy match of a regular expression. */
  #matchPath(address: string): Map<string, string | string[]> | undefined {
    const parts = this.#parts;
    // For each part and each start: where the next part begins; -1: it cannot begin there.
    const next: Int32Array[] = [];
    let fits = new Int32Array(address.length + 2).fill(-1);
    fits[address.length] = address.length;
    for (let index = parts.length - 1; index >= 0; index--) {
      const { text, takes } = parts[index]!;
      const from = new Int32Array(address.length + 2).fill(-1);
      let last = -1; // the last end that fits, in the run of characters that the variable takes
      for (let at = address.length; at >= 0; at--) {
        if (text !== undefined) {
          if (fits[at + text.length] !== undefined && fits[at + text.length] !== -1 && address.startsWith(text, at)) from[at] = at + text.length;
          continue;
        }
        if (at === address.length || !takes(address[at]!)) {
          last = fits[at] === -1 ? -1 : at;
          continue;
        }
        from[at] = last;
        if (last === -1 && fits[at] !== -1) last = at;
      }
      next[index] = from;
      fits = from;
    }
    if (fits[0] === -1) return undefined;
    const found = new Map<string, string | string[]>();
    let at = 0;
    for (const [index, { text, name, isList }] of parts.entries()) {
      const end = next[index]![at]!;
      if (text === undefined) {
        const value = address.slice(at, end);
        const values = isList ? value.split(",") : [];
        if (values.includes("")) return undefined;
        found.set(name, values.length > 1 ? values : value);
      }
      at = end;
    }
    return at === address.length ? found : undefined;
  }
}

function partsOf([whole, operator, names]: RegExpExecArray): Part[] {
  const text = (words: string): Part => ({ text: words, name: "", takes: isSegment, isList: false });
  if (names === undefined) return [text(whole)];
  const isList = names.includes("*");
  const takes = operator === "+" || operator === "#" ? () => true : isList ? (character: string) => character !== "/" : isSegment;
  const variable = { name: names.split(",")[0]!.replace("*", "").trim(), takes, isList };
  return operator === "." || operator === "/" ? [text(operator), variable] : [variable];
}
