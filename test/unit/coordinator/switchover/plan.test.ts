import { expect, test } from "vitest";
import type { PlanStep } from "#coordinator/operations/plan.ts";
import { changeDatabase, changePool, changeSettings } from "../world.ts";
import { addFollower, goodWorld, planOf } from "./scene.ts";

const ids = (steps: readonly PlanStep[]): readonly string[] => steps.map(({ id }) => id);
const step = (steps: readonly PlanStep[], id: string): PlanStep | undefined =>
  steps.find((one) => one.id === id);

test("without a pool: gate, hand over, follow; nothing is taken back after the promotion", () => {
  const { steps, noReturn, reserves, notes } = planOf(goodWorld());
  expect(ids(steps)).toEqual(["prove-streaming/srv129", "hand-over", "follow/srv127"]);
  expect(noReturn).toBe("hand-over");
  const classes = ["database", "role", "vip", "sync", "pool-row"];
  expect(reserves).toEqual([
    { node: "srv127", classes },
    { node: "srv129", classes },
  ]);
  expect(step(steps, "hand-over")).toMatchObject({
    on: null,
    args: { from: "srv127", to: "srv129", timeline: 1, stallMs: 60_000 },
  });
  expect(step(steps, "follow/srv127")).toMatchObject({
    on: "srv127",
    args: { node: "srv129", host: "192.168.4.129", port: 5432 },
  });
  expect(notes.join("\n")).toContain("5 client sessions on srv127 end");
});

test("with pools: each is led before the address moves, and the row of the former primary ends up", () => {
  const { steps } = planOf(goodWorld({ pool: true }));
  expect(ids(steps)).toEqual([
    "prove-streaming/srv129",
    "hand-over",
    "lead-pool/srv127",
    "lead-pool/srv129",
    "take-address/srv129",
    "follow/srv127",
    "attach-pool/0",
  ]);
  expect(step(steps, "lead-pool/srv129")).toMatchObject({
    on: "srv129",
    args: { from: { id: 0, applicationName: "srv127" }, to: { id: 1, applicationName: "srv129" } },
  });
  expect(step(steps, "attach-pool/0")).toMatchObject({ on: null, args: { holdDoor: true } });
});

test("pools that have no row of the new primary are not led", () => {
  const world = goodWorld({ pool: true });
  for (const node of ["srv127", "srv129"]) changePool(world, node, { rows: [] });
  expect(ids(planOf(world).steps).filter((id) => /pool/.test(id))).toEqual([]);
});

test("a slot that the new primary lacks is made beforehand, holding nothing back", () => {
  const world = goodWorld();
  changeDatabase(world, "srv129", { slots: [] });
  const { steps } = planOf(world);
  expect(steps[0]).toMatchObject({
    id: "create-slot/srv129/slot_srv127",
    on: "srv129",
    args: { slot: "slot_srv127", forNode: "srv127", reserve: false },
    preconditions: { role: "standby", systemIdentifier: "7311111111111111111" },
  });
});

test.each([
  [
    "the former primary stands where the new one stood",
    "FIRST 1 (srv129, srv159)",
    "",
    "FIRST 1 (srv127, srv159)",
  ],
  ["whose case is no matter", "1 (SRV129)", "", "1 (srv127)"],
  ["a star stays a star", "*", "", "*"],
  ["a list of others stays", "1 (srv159)", "", "1 (srv159)"],
  ["what only the new one had goes", "", "1 (srv127)", ""],
] as const)("synchronous list: %s", (_title, wanted, expected, value) => {
  const world = goodWorld();
  changeSettings(world, "srv127", { synchronous_standby_names: wanted });
  changeSettings(world, "srv129", { synchronous_standby_names: expected });
  const { steps } = planOf(world);
  expect(step(steps, "set-synchronous-list/srv129")).toMatchObject({
    on: "srv129",
    args: { value, expected },
  });
  expect(ids(steps).indexOf("set-synchronous-list/srv129")).toBeLessThan(ids(steps).indexOf("hand-over")); // prettier-ignore
});

test("a list that is right already is not written", () => {
  const world = goodWorld();
  changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129)" });
  changeSettings(world, "srv129", { synchronous_standby_names: "1 (srv127)" });
  expect(ids(planOf(world).steps)).not.toContain("set-synchronous-list/srv129");
});

test("a third node follows too, unless its agent is away", () => {
  const isTold = (isAway: boolean) =>
    ids(planOf(addFollower(goodWorld(), { isAway })).steps).includes("follow/srv159");
  expect(isTold(false)).toBe(true);
  expect(isTold(true)).toBe(false);
});

test("the target's own slot name is what it streams through", () => {
  const world = goodWorld();
  changeDatabase(world, "srv129", { receiver: { status: "streaming", slot: "by_hand", conninfo: "", timeline: 1 } }); // prettier-ignore
  expect(step(planOf(world).steps, "prove-streaming/srv129")).toMatchObject({ args: { slot: "by_hand" } }); // prettier-ignore
});
