// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// What a call sends while it runs: its progress, and the pieces of text that it emits.
import type { ToolContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { CallToolResult } from "./protocol.ts";
import { isProgressToken } from "./shapes.ts";

/** Of the longest result: reserved for the link to the rest, the note about it and the envelope. */
const RESERVED = 8192;

export interface Progress extends Pick<ToolContext, "progress" | "emit" | "emitted"> {
  /** Whether the client asked for reports. */
  readonly isAsked: boolean;
  /**
   * Reports that the call still runs, unless there was a report since the last beat: it restarts the client's own
   * timeout.
   */
  readonly beat: () => void;
}

/** Sends reports to a client that asked for them. Each number must be greater than the last one, whoever reports it. */
export function createProgress({ meta, carrier }: Exchange, signal: AbortSignal, maxResultBytes: number): Progress {
  const { progressToken } = meta;
  const isAsked = isProgressToken(progressToken);
  let last = -Infinity;
  let handlerReports = false;
  let total: number | undefined;
  let isSilent = true;
  const above = () => (last === -Infinity ? 0 : last + Math.max(1, Math.abs(last)) * 1e-9);

  async function report(progress: number, message?: string): Promise<void> {
    last = progress;
    isSilent = false;
    if (!isAsked || signal.aborted) return;
    const params = { progressToken, progress, ...(total !== undefined && { total }), ...(message !== undefined && { message: message.toWellFormed() }) };
    await carrier.notify({ jsonrpc: "2.0", method: "notifications/progress", params });
  }

  const pieces: string[] = [];
  const room = maxResultBytes - RESERVED;
  let length = 0;
  let dropped = 0;

  return {
    isAsked,
    beat() {
      const isDue = isSilent;
      if (isDue) void report(above());
      isSilent = true;
    },
    progress(progress, of, message) {
      handlerReports = true;
      total = of;
      return report(Math.max(progress, above()), message);
    },
    async emit(text) {
      signal.throwIfAborted();
      const bytes = jsonBytes(text);
      // After the first piece that does not fit no piece is kept: the result has no holes.
      const fits = dropped === 0 && length + bytes <= room;
      if (fits) {
        pieces.push(text);
        length += bytes;
      } else {
        dropped += bytes;
      }
      // If the handler reports progress itself, a piece does not count as a step; otherwise pieces are counted.
      await report(handlerReports ? above() : Math.max(0, Math.floor(last)) + 1, text);
      return fits;
    },
    emitted({ rest } = {}) {
      const content: CallToolResult["content"] = pieces.length > 0 ? [{ type: "text", text: pieces.join("") }] : [];
      const note = `a result may have ${maxResultBytes} bytes (limits.max_result)`;
      if (rest !== undefined) {
        content.push({ type: "text", text: `[This is the first part: ${note}. The rest is the resource ${rest}]` });
        content.push({ type: "resource_link", uri: rest, name: "rest", description: "What follows the text of this result." });
      } else if (dropped > 0) {
        content.push({ type: "text", text: `[Cut off here: ${note}, and ${dropped} more were left out. Ask for less at a time]` });
      }
      return { content };
    },
  };
}

/** The bytes of a string in JSON, without its quotes. */
const jsonBytes = (text: string) => new TextEncoder().encode(JSON.stringify(text)).length - 2;
