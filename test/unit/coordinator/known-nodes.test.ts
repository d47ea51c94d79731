import { expect, test } from "vitest";
import { Failure } from "#shared/errors.ts";
import { lookAtNodes } from "#coordinator/operations/known-nodes.ts";
import { createFakePorts } from "./fake-ports.ts";
import { createWorld } from "./world.ts";

test("what an agent told before is not taken for what is there now: one that gives no answer has no facts", async () => {
  const world = createWorld();
  const { fleet } = createFakePorts(world);
  const observe = async ([node]: readonly string[]): Promise<void> => {
    if (node === "srv129") throw new Failure("NODE_UNREACHABLE", "no snapshot within 30000 ms");
  };
  const nodes = await lookAtNodes({ ...fleet, observe }, world.declaration);
  expect(nodes.map(({ agent, facts }) => [agent?.connected, facts !== null])).toEqual([
    [true, true],
    [true, false],
  ]);
});
