import { setTimeout as sleep } from "node:timers/promises";
import type { Latency } from "../drift/tally.ts";

export type Percentiles = {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly rounds: number;
};

export function percentiles({ count, p50Ms, p99Ms, maxMs }: Latency): Percentiles {
  return { p50: p50Ms, p99: p99Ms, max: maxMs, rounds: count };
}

/** A guard that has come to rest looks rarely; and a round meets it in any phase of its looks. */
export async function pause(): Promise<void> {
  await sleep(3_000 + Math.random() * 3_000);
}
