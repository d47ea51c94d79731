import { setTimeout as sleep } from "node:timers/promises";
import { spread, type Spread } from "../spread.ts";
import type { DriftBed } from "./bed.ts";
import type { ChangedFile, ChangeKind } from "./changed-file.ts";
import { monotonicMs } from "./receiver.ts";
import { latencyOf, tallyDeliveries, type Latency } from "./tally.ts";

export type BurstRun = {
  readonly bursts: number;
  readonly writesEach: number;
  /** Of the writing itself. */
  readonly tookMs: Spread;
  /** From before the last write until the webhook had what it left. */
  readonly latency: Latency;
  readonly deliveriesEach: Spread;
  readonly missed: number;
  readonly duplicates: number;
};

const writesEach = 20;
const withinMs = 50;
const missedAfterMs = 10_000;

/** On every file in turn 20 writes in 50 ms, half of the bursts renamed over, half in place. */
export async function runBursts({ receiver, files }: DriftBed): Promise<BurstRun> {
  const took: number[] = [];
  const latencies: number[] = [];
  const deliveries: number[] = [];
  let missed = 0;
  let duplicates = 0;
  for (const [at, file] of files.entries()) {
    const from = receiver.deliveries.length;
    const { lastAt, tookMs } = burst(file, at % 2 === 0 ? "rename-over" : "write in place");
    took.push(tookMs);
    const right = await receiver.first(from, file.told(), missedAfterMs);
    if (right === null) missed += 1;
    else latencies.push(right.atMs - lastAt);
    // Later ones about the same content would be duplicates.
    await sleep(1000);
    const own = receiver.deliveries.slice(from).filter(({ cause }) => cause === file.cause);
    const tally = tallyDeliveries(own);
    deliveries.push(tally.deliveries);
    duplicates += tally.duplicates;
  }
  return {
    bursts: files.length,
    writesEach,
    tookMs: spread(took),
    latency: latencyOf(latencies),
    deliveriesEach: spread(deliveries),
    missed,
    duplicates,
  };
}

/** Waits without giving way: timers of a busy process would stretch 50 ms. */
function burst(file: ChangedFile, kind: ChangeKind): { lastAt: number; tookMs: number } {
  const never = new Int32Array(new SharedArrayBuffer(4));
  const startedAt = monotonicMs();
  let lastAt = startedAt;
  for (let write = 0; write < writesEach; write += 1) {
    const dueAt = startedAt + (write * withinMs) / writesEach;
    Atomics.wait(never, 0, 0, Math.max(0, dueAt - monotonicMs()));
    lastAt = file.change(kind);
  }
  return { lastAt, tookMs: monotonicMs() - startedAt };
}
