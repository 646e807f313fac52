// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// Updates of one entry in one process run one after the other, so that they do not collide.

const turns = new Map<string, Promise<void>>();

export async function inTurn<T>(scope: string, key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const name = JSON.stringify([scope, key]);
  const before = turns.get(name);
  const { promise: turn, resolve: over } = Promise.withResolvers<void>();
  turns.set(name, turn);
  // A turn that takes too long does not hold up the others; the store itself prevents lost updates.
  signal.addEventListener("abort", () => over(), { once: true });
  try {
    await before;
    return await work();
  } finally {
    over();
    if (turns.get(name) === turn) turns.delete(name);
  }
}
