import { setTimeout as sleep } from "node:timers/promises";
import type { DriftBed } from "./bed.ts";
import { changeKinds } from "./changed-file.ts";
import { monotonicMs } from "./receiver.ts";
import { latencyOf, tallyDeliveries, type DeliveryTally, type Latency } from "./tally.ts";

export type OutageRun = DeliveryTally & {
  readonly downSeconds: number;
  readonly files: number;
  readonly changesEach: number;
  /** From the start of the coordinator until the webhook had the last change of a file. */
  readonly toldAfterStart: Latency;
  readonly missed: number;
};

const changesEach = 3;
const missedAfterMs = 60_000;

/** The coordinator is killed; every file is changed three times before it is started again. */
export async function runOutage(
  { castellan, receiver, files }: DriftBed,
  downSeconds: number,
): Promise<OutageRun> {
  const from = receiver.deliveries.length;
  await castellan.killCoordinator();
  for (let round = 0; round < changesEach; round += 1) {
    for (const [at, file] of files.entries()) {
      file.change(changeKinds[(at + round) % changeKinds.length] ?? "rename-over");
    }
    await sleep((downSeconds * 1000) / changesEach);
  }
  const startedAt = monotonicMs();
  const waiting = files.map((file) => receiver.first(from, file.told(), missedAfterMs));
  await castellan.startCoordinator();
  const told = await Promise.all(waiting);
  await sleep(5000);
  const after = told.flatMap((right) => (right === null ? [] : [right.atMs - startedAt]));
  return {
    downSeconds,
    files: files.length,
    changesEach,
    toldAfterStart: latencyOf(after),
    missed: files.length - after.length,
    ...tallyDeliveries(receiver.deliveries.slice(from)),
  };
}
