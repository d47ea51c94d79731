/** `1\t0/5000148\tno recovery target specified`: where a timeline was left for the next one. */
const entry = /^\s*(\d+)\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})/;

/**
 * Where a server's history leaves a timeline, from its `NNNNNNNN.history`; null where that timeline is none of its
 * ancestors (PostgreSQL docs, WAL internals).
 */
export function forkOf(history: string, timeline: number): string | null {
  const found = history
    .split("\n")
    .map((line) => entry.exec(line))
    .find((match) => Number(match?.[1]) === timeline);
  return found?.[2] ?? null;
}
