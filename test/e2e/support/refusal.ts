import { expect } from "vitest";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import { settledDifferences, takeSnapshot } from "#test/harness/snapshot.ts";

export type Refusal = {
  readonly args: readonly string[];
  readonly exitCode: number;
  /** What the message, its hint or its evidence must say. */
  readonly says: readonly (string | RegExp)[];
};

/** Runs a command that must be refused: documented exit status, a message that helps, nothing changed anywhere. */
export async function expectRefusal(
  cluster: TestCluster,
  castellan: Castellan,
  { args, exitCode, says }: Refusal,
): Promise<void> {
  const before = await takeSnapshot(cluster, castellan);
  const answer = await castellan.cli(args, { reject: false });
  const said = `${answer.stdout}\n${answer.stderr}`;
  for (const words of says) {
    if (typeof words === "string") expect(said).toContain(words);
    else expect(said).toMatch(words);
  }
  expect(answer.exitCode, said).toBe(exitCode);
  expect(said).not.toMatch(/\bat .*\.js:\d+/);
  expect(await settledDifferences(before, cluster, castellan)).toEqual([]);
}
