import { waitFor } from "#test/harness/wait-for.ts";
import type { Stage } from "./stage.ts";
import type { Way } from "./ways.ts";

export type Round = {
  readonly sessionsCut: number;
  readonly freshFailed: number;
  readonly clientErrors: number;
  readonly longestStallMs: number;
  readonly p95Ms: number;
  readonly freshLongestMs: number;
  readonly longestReconnectMs: number;
};

/** One registration by that way while 17 sessions and the fresh connections go on. */
export async function measureRound(stage: Stage, way: Way): Promise<Round> {
  await way.prepare(stage);
  if (way.restarts) await stage.replaceLoad(500);
  await loadIsCalm(stage, way);
  const sinceMs = Date.now();
  await way.register(stage);
  // What was held back or cut is answered or opened again by then.
  await loadIsCalm(stage, way);
  const seen = await stage.load.stats(sinceMs);
  await way.restore(stage);
  return {
    sessionsCut: seen.sessionsLost,
    freshFailed: seen.freshFailed,
    clientErrors: seen.clientErrors,
    longestStallMs: seen.latency.maxMs,
    p95Ms: seen.latency.p95Ms,
    freshLongestMs: seen.freshLatency.maxMs,
    longestReconnectMs: seen.longestReconnectMs,
  };
}

/**
 * For a second no client had to wait, none was lost and none came back: a pool forks no child for a second after it
 * took a node up or down, so that a session can be away for that long. After a restart some clients wait for ever: the
 * VIP was gone before its pool could say goodbye.
 */
async function loadIsCalm({ load }: Stage, way: Way): Promise<void> {
  let since = Date.now();
  await waitFor(
    async () => {
      const seen = await load.stats(since);
      const lost = seen.clientErrors - (way.restarts ? seen.freshFailed : 0);
      const waits = Math.max(seen.latency.maxMs, seen.freshLatency.maxMs) >= 150;
      const calm = lost === 0 && seen.longestReconnectMs === 0 && (way.restarts || !waits);
      if (calm && Date.now() - since >= 1_000) return seen.statements > 0;
      if (!calm) since = Date.now();
      return false;
    },
    { timeoutMs: 60_000, intervalMs: 50, what: "calm clients" },
  );
}

export type WayResult = { readonly way: Way; readonly rounds: readonly Round[] };

/** A line a way: sums of what must not happen, and the worst statement of each round. */
export function renderWays(results: readonly WayResult[]): string {
  const header = [
    "way",
    "rounds",
    "cut",
    "fresh failed",
    "errors",
    "stall p95",
    "stall max",
    "fresh max",
    "away",
  ];
  const lines = results.map(({ way, rounds }) => {
    const sum = (of: (round: Round) => number): string =>
      String(rounds.reduce((total, round) => total + of(round), 0));
    const worst = (of: (round: Round) => number, share = 1): string =>
      `${Math.round(quantile(rounds.map(of), share))} ms`;
    return [
      way.name,
      String(rounds.length),
      sum((round) => round.sessionsCut),
      sum((round) => round.freshFailed),
      sum((round) => round.clientErrors),
      worst((round) => round.longestStallMs, 0.95),
      worst((round) => round.longestStallMs),
      worst((round) => round.freshLongestMs),
      worst((round) => round.longestReconnectMs),
    ];
  });
  const rows = [header, ...lines];
  const widths = header.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  "),
    )
    .join("\n");
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
