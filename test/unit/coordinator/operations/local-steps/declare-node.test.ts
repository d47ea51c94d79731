import { expect, test } from "vitest";
import { declareNode } from "#coordinator/operations/local-steps/declare-node.ts";
import type { LocalStepContext } from "#coordinator/operations/local-steps/local-step.ts";
import { createLog } from "#shared/log.ts";
import { createWorld } from "../../world.ts";

const [node] = createWorld().declaration.nodes;
if (node === undefined) throw new Error("no node");

test("an entry that a person has edited since we wrote it is his to take out", async () => {
  const undo = async () => declareNode.undo({ node }, contextOf("edited", true));
  await expect(undo()).rejects.toMatchObject({
    code: "REFUSED",
    hint: expect.stringMatching(/by hand/),
  });
});

test("an entry of that name that was never ours is left, and nothing is wrong with that", async () => {
  const { alreadyDone, lines } = await declareNode.undo({ node }, contextOf("edited", false));
  expect(alreadyDone).toBe(true);
  expect(lines).toEqual(["srv127 stands there as somebody else declared it: left as it is"]);
});

test("our own entry is taken out, done or cut off in the middle", async () => {
  for (const wasDone of [true, false]) {
    const { lines } = await declareNode.undo({ node }, contextOf("taken", wasDone));
    expect(lines).toEqual(["srv127 is taken out of the declaration"]);
  }
});

function contextOf(outcome: "taken" | "absent" | "edited", wasDone: boolean): LocalStepContext {
  const never = (): never => {
    throw new Error("not asked for here");
  };
  return {
    operationId: "op-12345678",
    stepId: "declare-node",
    cluster: "ESHA",
    wasDone,
    signal: new AbortController().signal,
    clock: { now: () => 0, elapsedMs: () => 0, sleep: never },
    log: createLog("test", "silent"),
    clusterFiles: {
      names: never,
      load: never,
      create: never,
      addNode: never,
      takeNode: () => outcome,
      removeNode: never,
      putNodeBack: never,
    },
    progress: never,
    command: never,
  };
}
