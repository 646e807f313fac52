// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Updates of one entry in one process: one after the other they do not get in each other's way.

const turns = new Map<string, Promise<void>>();

export async function inTurn<T>(scope: string, key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const name = JSON.stringify([scope, key]);
  const before = turns.get(name);
  const { promise: turn, resolve: over } = Promise.withResolvers<void>();
  turns.set(name, turn);
  // What outlives its time does not hold up the others; the store itself lets none write over another.
  signal.addEventListener("abort", () => over(), { once: true });
  try {
    await before;
    return await work();
  } finally {
    over();
    if (turns.get(name) === turn) turns.delete(name);
  }
}
