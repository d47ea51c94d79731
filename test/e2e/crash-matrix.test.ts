import { expect, test } from "vitest";
import { addNode } from "#test/matrix/add-node.ts";
import { spread } from "#test/matrix/choose.ts";
import { guardTakeover } from "#test/matrix/guard-takeover.ts";
import { renderResult } from "#test/matrix/report.ts";
import { revertFile } from "#test/matrix/revert-file.ts";
import { missingIn, sourcePoints, unreachedPoints } from "#test/matrix/source-points.ts";
import type { Strike } from "#test/matrix/strike.ts";
import { createWorker, type StrikeResult, type Worker } from "#test/matrix/worker.ts";

/** The whole is `npm run test:matrix`; this many of its runs are looked at each time. */
const sampleSize = 18;

test(`at ${sampleSize} of the points where the coordinator or an agent can die, add-node goes on or leaves nothing`, async () => {
  await using first = createWorker(addNode, "postgresql");
  await using second = createWorker(addNode, "postgresql");
  const recording = await first.record();
  const unexplained = missingIn(sourcePoints(), [recording.run, recording.undo]).filter(
    (name) => unreachedPoints[name] === undefined,
  );
  expect(unexplained, "crash points that nothing strikes and nothing explains").toEqual([]);

  const sample = sampleOf(addNode.choose(recording));
  expect(sample).toHaveLength(sampleSize);
  expect(await complaints([first, second], sample)).toEqual([]);
}, 1_200_000);

test("a file that is being reverted is whole wherever a process or its host dies, and its alert agrees with it", async () => {
  await using worker = createWorker(revertFile, "postgresql");
  const sample = spread(revertFile.choose(await worker.record())).slice(0, 6);
  expect(await complaints([worker], sample)).toEqual([]);
}, 600_000);

test("lines of the vendor's and guards are never in charge together, wherever a process of a takeover dies", async () => {
  await using worker = createWorker(guardTakeover, "kingbase-v8r3");
  const sample = spread(guardTakeover.choose(await worker.record())).slice(0, 4);
  expect(await complaints([worker], sample)).toEqual([]);
}, 600_000);

async function complaints(
  workers: readonly Worker[],
  sample: readonly Strike[],
): Promise<readonly string[]> {
  const queue = [...sample];
  const bad: StrikeResult[] = [];
  await Promise.all(
    workers.map(async (worker) => {
      for (let strike = queue.shift(); strike !== undefined; strike = queue.shift()) {
        const result = await worker.run(strike);
        if (result.complaints.length > 0) bad.push(result);
      }
    }),
  );
  return bad.flatMap((result) => renderResult(result, 0, sample.length));
}

/** The same ones every time while the points are the same; and always the power loss after the copy. */
function sampleOf(strikes: readonly Strike[]): readonly Strike[] {
  const isPowerLoss = ({ mode, point }: Strike): boolean =>
    mode === "power-off" && point === "agent:ended:run:base-backup";
  const others = strikes.filter((strike) => !isPowerLoss(strike));
  return [...strikes.filter(isPowerLoss), ...spread(others)].slice(0, sampleSize);
}
