// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Settings, secrets and the log.
import type { Log, LogLevel } from "./context.ts";
import type { Manifest } from "./manifest.ts";

/** A platform's variables, secrets included. */
export type Variables = Readonly<Record<string, unknown>>;
export type Env = Readonly<Record<string, string>>;

/** Only the variables that mcp.toml declares. */
export function readEnv(manifest: Manifest, variables: Variables): Env {
  const read = (name: string) => (typeof variables[name] === "string" ? variables[name] : undefined);
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(manifest.env)) env[name] = read(name) ?? value;
  // Not enumerable, so that a logged or copied `env` shows no secrets.
  for (const name of manifest.secrets) {
    const isOptional = manifest.optionalSecrets?.includes(name) ?? false;
    Object.defineProperty(env, name, { get: () => read(name) || (isOptional ? undefined : notSet(manifest, name)) });
  }
  return env;
}

export function notSet(manifest: Manifest, secret: string): never {
  throw new Error(manifest.secrets.includes(secret) ? `the secret ${secret} is not set` : `add the secret ${secret} to [secrets] in mcp.toml`);
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** A setting LOG_LEVEL, if there is one, is the lowest level that the log contains. */
export function createLog(manifest: Manifest, env: Env, variables: Variables): Log {
  const from = LEVELS.indexOf(("LOG_LEVEL" in manifest.env ? env["LOG_LEVEL"] : undefined) as LogLevel);
  const known = new Map<unknown, readonly string[]>();
  const formsOf = (secret: unknown) => {
    const forms = known.get(secret) ?? allForms(secret);
    known.set(secret, forms);
    return forms;
  };
  return (level, message, fields) => {
    if (LEVELS.indexOf(level) < from) return;
    // The longest first: one may be the beginning of another.
    const hidden = manifest.secrets.flatMap((name) => formsOf(variables[name])).sort((a, b) => b.length - a.length);
    const entry = { timestamp: new Date().toISOString(), level, message };
    console[level](lineOf({ ...entry, ...fields }, hidden) ?? lineOf(entry, hidden));
  };
}

/**
 * A secret as it is, and as it appears in JSON, in an address and in base64. Shorter secrets would hide parts of
 * innocent lines.
 */
function allForms(secret: unknown): readonly string[] {
  if (typeof secret !== "string" || secret.length < SHORTEST) return [];
  // A string with half of a surrogate pair cannot be part of an address.
  const percent = secret.isWellFormed() ? encodeURIComponent(secret) : secret;
  const strict = percent.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams([["", secret]]).toString().slice(1);
  const addresses = [percent, strict, form, encodeURI(secret.toWellFormed())];
  const lower = addresses.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  const base64 = [0, 1, 2].map((before) => inBase64(secret, before));
  const safe = base64.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"));
  const forms = new Set([secret, JSON.stringify(secret).slice(1, -1), ...addresses, ...lower, ...base64, ...safe]);
  return [...forms].filter((form) => form.length >= SHORTEST);
}

const SHORTEST = 6;

/** The characters that depend only on the secret if `before` bytes precede it, as a user's name does. */
function inBase64(secret: string, before: number): string {
  const bytes = [...new Uint8Array(before), ...new TextEncoder().encode(secret)];
  const whole = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return whole.slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

/** `undefined` for what JSON cannot hold, such as a cycle: logging never fails a request. */
function lineOf(value: unknown, hidden: readonly string[]): string | undefined {
  // In the values, before escaping, so that the line stays valid JSON.
  const hide = (text: string) => hidden.reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
  try {
    return JSON.stringify(value, (_, part: unknown) => {
      const text = part instanceof Error ? describeError(part, hide) : typeof part === "bigint" ? `${part}` : part;
      if (typeof text === "string") return hide(text);
      // Names of fields, too. Most hide nothing.
      const isNamed = typeof text === "object" && text !== null && !Array.isArray(text) && Object.keys(text).some((name) => hide(name) !== name);
      return isNamed ? Object.fromEntries(Object.entries(text).map(([name, value]) => [hide(name), value as unknown])) : text;
    });
  } catch {
    return undefined;
  }
}

/** With its stack and its causes: the reason of a `fetch failed` is only in its cause. */
function describeError(error: Error, hide: (text: string) => string): string {
  const parts = [textOf(error)];
  const told = new Set<unknown>([error]);
  const open = reasonsOf(error);
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const [mark, reason] = next;
    if (told.has(reason)) continue;
    if (told.size > MOST_REASONS) return [...parts, "[cause]: …"].join("\n");
    told.add(reason);
    // Hidden before it is cut: half of a secret would not be recognised.
    const text = hide(textOf(reason));
    parts.push(`[${mark}]: ${text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON)}…` : text}`);
    open.unshift(...reasonsOf(reason));
  }
  return parts.join("\n");
}

const MOST_REASONS = 8;
const LONGEST_REASON = 4_000;

function reasonsOf(error: unknown): [mark: "cause" | "error", reason: unknown][] {
  if (!(error instanceof Error)) return [];
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors.slice(0, MOST_REASONS + 1) : [];
  const cause: unknown = error.cause ?? undefined;
  return [...(cause === undefined ? [] : [["cause", cause] as ["cause", unknown]]), ...errors.map((one): ["error", unknown] => ["error", one])];
}

function textOf(reason: unknown): string {
  if (reason instanceof Error) return reason.stack ?? reason.message;
  if (typeof reason !== "object" || reason === null) return String(reason);
  try {
    return JSON.stringify(reason);
  } catch {
    return "an object";
  }
}
