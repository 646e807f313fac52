// Where the runtime answers otherwise than the SDK, and is meant to.
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../../../templates/runtime/protocol.ts";
import type { Sample } from "./corpus.ts";

export interface Heard {
  status: number;
  messages: unknown[];
}

export interface Difference {
  readonly id: string;
  readonly reason: string;
  /** How many requests of the whole corpus show it. */
  readonly count: number;
  readonly is: (sample: Sample, ours: Heard, theirs: Heard) => boolean;
  /** What the SDK has to be asked instead, to which it then answers as the runtime does to the sample. */
  readonly instead?: (sample: Sample) => Sample;
}

const bodyOf = ({ body }: Sample) => (typeof body === "string" ? body : "");
const codeOf = ({ messages }: Heard) => (messages[0] as { error?: { code: number } } | undefined)?.error?.code;

const sorted = ({ messages }: Heard) => messages.map((message) => JSON.stringify((message as { id: unknown }).id)).toSorted().join();

/**
 * What the SDK's validator says besides: of each object around what is wrong that it is wrong, and of an unknown
 * property two things.
 */
const withoutRepeats = (text: string) =>
  text.replace(/#[^ ]*: Property \\"[^"]*\\" does not match schema\.; /g, "").replace(/(Property \\"([^"]*)\\") does not match additional properties schema\.; #\/\2: False boolean schema\./g, "$1 is not known.");

const sameJson = (ours: Heard, theirs: Heard) => isDeepStrictEqual(ours.messages, JSON.parse(withoutRepeats(JSON.stringify(theirs.messages))));

function withoutNull({ params, ...message }: Json): Json {
  if (params === null) return message;
  const { arguments: _, ...others } = params as Json;
  return { ...message, params: others };
}

export const DIFFERENCES: readonly Difference[] = [
  {
    id: "accept", count: 48, reason: "clients of 2025 that accept only JSON, only events, anything or nothing are answered; the SDK answers 406",
    is: ({ headers }, ours, theirs) => theirs.status === 406 && ours.status === 200 && headers["accept"] !== "application/json, text/event-stream",
    instead: (sample) => ({ ...sample, headers: { ...sample.headers, accept: "application/json, text/event-stream" } }),
  },
  {
    id: "null", count: 60, reason: "`null` for `params` or `arguments` counts as absent; the SDK refuses it",
    is: (sample, ours, theirs) => /"(params|arguments)":null/.test(bodyOf(sample)) && [-32600, -32602, -32603].includes(codeOf(theirs) ?? 0) && ours.status !== 500,
    instead: (sample) => ({ ...sample, body: JSON.stringify(withoutNull(JSON.parse(bodyOf(sample)) as Json)) }),
  },
  {
    id: "deep", count: 4, reason: "a message nested deeper than 128 levels is refused: workerd hangs on reading it",
    is: (sample, ours) => ours.status === 400 && codeOf(ours) === -32600 && bodyOf(sample).includes('{"a":'.repeat(128)),
  },
  {
    id: "proto", count: 8, reason: "`__proto__` is a member like any other, and so one that a schema may refuse; the SDK's parser drops it",
    is: (sample, ours, theirs) => bodyOf(sample).includes('"__proto__":') && codeOf(theirs) === undefined && ours.status === 200,
  },
  {
    id: "disabled", count: 12, reason: "a tool or prompt with the name of a member of every object is not found; the SDK calls it disabled",
    is: (_, ours, theirs) => JSON.stringify(ours.messages).replace("not found", "disabled") === JSON.stringify(theirs.messages),
  },
  {
    id: "question", count: 2, reason: "another text, and the same code and data, for a client that cannot be asked a question",
    is: (_, ours, theirs) => codeOf(ours) === -32021 && codeOf(theirs) === -32021 && ours.status === theirs.status,
  },
  {
    id: "words", count: 36, reason: "what is wrong with arguments is said once; the SDK's validator repeats it for each object around it",
    is: (_, ours, theirs) => ours.status === theirs.status && sameJson(ours, theirs),
  },
  {
    id: "order", count: 1, reason: "a batch is answered in the order of its requests; the SDK answers each as soon as it is done",
    is: (sample, ours, theirs) => bodyOf(sample).startsWith("[") && ours.status === theirs.status && sorted(ours) === sorted(theirs),
  },
  {
    id: "same id", count: 1, reason: "two requests of one batch that share an id are both answered; the SDK answers one of them",
    is: (sample, ours, theirs) => bodyOf(sample).startsWith("[") && ours.messages.length === 2 && theirs.messages.length === 1,
  },
];
