import { setTimeout as sleep } from "node:timers/promises";
import type { Bed } from "./bed.ts";

/** Between two looks; also how exact the figures can be. */
const everyMs = 20;

/**
 * Resolves with the moment (performance.now) at which the primary shows the new node streaming. A base backup's own
 * WAL stream bears another application name. The same watch serves both sides.
 */
export async function streamingAt({ watcher, newNode }: Bed, signal: AbortSignal): Promise<number> {
  const text =
    "SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'";
  for (;;) {
    signal.throwIfAborted();
    const { rows } = await watcher.query({ text, values: [newNode.name] });
    if (rows.length > 0) return performance.now();
    await sleep(everyMs);
  }
}
