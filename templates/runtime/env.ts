// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Settings, secrets and the log.
import type { Log, LogLevel } from "./context.ts";
import type { Manifest } from "./manifest.ts";

/** The variables of a platform, secrets among them. */
export type Variables = Readonly<Record<string, unknown>>;
export type Env = Readonly<Record<string, string>>;

/** What mcp.toml declares, and nothing else of the platform's variables. */
export function readEnv(manifest: Manifest, variables: Variables): Env {
  const read = (name: string) => (typeof variables[name] === "string" ? variables[name] : undefined);
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(manifest.env)) env[name] = read(name) ?? value;
  // Not enumerable, so that an `env` that is logged or copied shows no secrets.
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

/** A setting LOG_LEVEL, where there is one, is the lowest level that is written. */
export function createLog(manifest: Manifest, env: Env, variables: Variables): Log {
  const from = LEVELS.indexOf(("LOG_LEVEL" in manifest.env ? env["LOG_LEVEL"] : undefined) as LogLevel);
  return (level, message, fields) => {
    if (LEVELS.indexOf(level) < from) return;
    // The longest first: one may be the beginning of another.
    const hidden = manifest.secrets.flatMap((name) => formsOf(variables[name])).sort((a, b) => b.length - a.length);
    const entry = { timestamp: new Date().toISOString(), level, message };
    console[level](lineOf({ ...entry, ...fields }, hidden) ?? lineOf(entry, hidden));
  };
}

/** A secret as it is, and as it stands in JSON that somebody logs as a text. A shorter one would blot out half of an innocent line. */
function formsOf(secret: unknown): string[] {
  if (typeof secret !== "string" || secret.length < 6) return [];
  return [secret, JSON.stringify(secret).slice(1, -1)];
}

/** `undefined` for what cannot be written, such as a cycle: logging never fails a request. */
function lineOf(value: unknown, hidden: readonly string[]): string | undefined {
  // In the values, before they are escaped: so whatever is hidden, the line stays JSON.
  const hide = (text: string) => hidden.reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
  try {
    return JSON.stringify(value, (_, part: unknown) => {
      const text = part instanceof Error ? describeError(part) : typeof part === "bigint" ? `${part}` : part;
      return typeof text === "string" ? hide(text) : text;
    });
  } catch {
    return undefined;
  }
}

const describeError = (error: Error): string => error.stack ?? error.message;
