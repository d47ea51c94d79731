import { expect, test } from "vitest";
import { batches } from "#coordinator/operations/batches.ts";
import type { PlanStep } from "#coordinator/operations/plan.ts";
import { hbaStep, slotStep, startStep } from "#test/integration/coordinator/some-plan.ts";

const ids = (steps: readonly PlanStep[]) =>
  batches(steps).map((group) => group.map((index) => steps[index]?.id));

test("neighbours of one kind on different nodes run together", () => {
  expect(ids([hbaStep("a"), hbaStep("b"), slotStep("a"), slotStep("b"), startStep("c")])).toEqual([
    ["open-hba/a", "open-hba/b"],
    ["create-slot/a", "create-slot/b"],
    ["start-database/c"],
  ]);
});

test("two steps on one node never run together", () => {
  expect(ids([slotStep("a", "one"), slotStep("a", "two"), slotStep("b")])).toEqual([
    ["create-slot/a"],
    ["create-slot/a", "create-slot/b"],
  ]);
});

test("a step in between keeps its place", () => {
  expect(ids([slotStep("a"), startStep("a"), slotStep("b")])).toHaveLength(3);
});

test("the coordinator's own steps run alone", () => {
  const declare: PlanStep = {
    id: "declare-node/a",
    phase: "declare",
    title: "",
    preview: [],
    on: null,
    kind: "declare-node",
    args: { node: someNode },
  };
  expect(ids([declare, { ...declare, id: "declare-node/b" }])).toHaveLength(2);
});

const someNode = {
  name: "a",
  address: "10.0.0.1",
  port: 5432,
  slot: "slot_a",
  nic: null,
  paths: {
    root: null,
    binDirectory: "/b",
    dataDirectory: "/d",
    configFile: "/c",
    hbaFile: "/h",
    identFile: "/i",
  },
  backendId: null,
  pool: null,
};
