// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Parts of long resources, which clients read with `{?offset,limit}`.
import { ToolError } from "./context.ts";
import type { Contents } from "./context.ts";

/** A part of something long: bytes, lines or rows, as the handler defines. */
export interface Range {
  readonly offset: number;
  readonly limit: number;
}

export interface Ranges {
  /** `{?offset,limit}` as numbers: by default from 0 and with the default length; never longer than the maximum. */
  range(variables: { readonly offset?: string | undefined; readonly limit?: string | undefined }, options?: { limit?: number; max?: number }): Range;
  /** One part of a resource. `_meta.nextOffset` says where the next one begins; the last part has none. */
  part(text: string, nextOffset?: number): Contents[];
  /**
   * The whole lines among the bytes at `range`, as one part: NDJSON, or any text in lines. Fewer bytes than
   * `range.limit` mean the end of the resource; its last line may lack a line end.
   */
  lines(bytes: Uint8Array, range: Range): Contents[];
}

export function rangesOf(maxResultBytes: number): Ranges {
  // JSON needs two bytes for a quote or a line end: half of the longest result leaves room for that.
  const longest = Math.floor(maxResultBytes / 2) - 1024;
  return {
    range: (variables, { limit = Math.min(longest, 262_144), max = longest } = {}) => ({
      offset: number("offset", variables.offset ?? "0", 0),
      limit: Math.min(max, number("limit", variables.limit ?? `${limit}`, 1)),
    }),
    part,
    lines(bytes, { offset, limit }) {
      const decoder = new TextDecoder();
      if (bytes.length < limit) return part(decoder.decode(bytes));
      const end = bytes.lastIndexOf(10) + 1;
      if (end === 0) throw new ToolError(`the line at ${offset} is longer than ${limit} bytes: ask with a larger limit`);
      return part(decoder.decode(bytes.subarray(0, end)), offset + end);
    },
  };
}

function part(text: string, nextOffset?: number): Contents[] {
  return [nextOffset === undefined ? { text } : { text, _meta: { nextOffset } }];
}

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) throw new ToolError(`${name} must be a whole number from ${least} on`);
  return value;
}
