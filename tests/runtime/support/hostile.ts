// Sends requests of the corpus to a server that runs somewhere:
// `node --import ./support/resolve.ts support/hostile.ts URL EVERY`
// Each must be answered, soon, and with no failure of the server; it writes how many were sent, and which were answered
// otherwise.
import { corpus } from "./corpus.ts";
import type { Sample } from "./corpus.ts";

const [url = "", every = "1"] = process.argv.slice(2);
const SOON_MS = 10_000;
const AT_ONCE = 8;

/** The tool and the prompt that the server has, instead of those of the corpus. */
const known = (text: string): string => text.replaceAll('"echo"', '"get_weather"').replaceAll('"plan"', '"plan_trip"');

async function wrongWith({ headers, body, target }: Sample): Promise<string | undefined> {
  const names = Object.entries(headers).map(([name, value]) => [name, value === "echo" ? "get_weather" : value === "plan" ? "plan_trip" : value] as [string, string]);
  let request: Request;
  try {
    const text = typeof body === "string" ? known(body) : Uint8Array.from(body);
    request = new Request(new URL(target, url), { method: "POST", headers: names, body: text, signal: AbortSignal.timeout(SOON_MS) });
  } catch {
    return "unsent"; // no client can send such a header
  }
  try {
    const response = await fetch(request);
    const text = await response.text();
    if (response.status >= 500) return `${response.status} ${text.slice(0, 200)}`;
    if (response.headers.get("content-type")?.startsWith("application/json")) JSON.parse(text);
    return undefined;
  } catch (error) {
    return String(error instanceof Error && error.cause ? error.cause : error);
  }
}

const samples = [...corpus()].filter((_, index) => index % Number(every) === 0);
const wrong: Record<string, string> = {};
let sent = 0;
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let sample = samples.pop(); sample; sample = samples.pop()) {
    const what = await wrongWith(sample);
    if (what === "unsent") continue;
    sent += 1;
    if (what !== undefined) wrong[sample.name] = what;
  }
}));
console.log(JSON.stringify({ sent, wrong }));
