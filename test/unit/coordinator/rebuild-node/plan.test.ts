import fc from "fast-check";
import { expect, test } from "vitest";
import type { PlanStep } from "#coordinator/operations/plan.ts";
import { planDigest } from "#coordinator/operations/plan-digest.ts";
import { changeDatabase, createWorld } from "../world.ts";
import type { WorldOptions } from "../declared-node.ts";
import { planOf } from "./scene.ts";

const ids = (steps: readonly PlanStep[]): readonly string[] => steps.map(({ id }) => id);
const step = (steps: readonly PlanStep[], id: string): PlanStep | undefined =>
  steps.find((one) => one.id === id);

const proven = [
  "stop-standby/srv129",
  "base-backup/srv129",
  "keep-own-files/srv129",
  "swap-data-directory/srv129",
  "start-database/srv129",
  "prove-streaming/srv129",
  "remake-slots/srv129",
  "verify-data/srv129",
];

test("the old data goes last, and only what comes before it can be taken back", () => {
  const { steps, noReturn, notes, premise, reserves } = planOf(createWorld());
  expect(ids(steps)).toEqual([...proven, "drop-old-directory/srv129"]);
  expect(noReturn).toBe("verify-data/srv129");
  expect(premise).toMatchObject({ primary: "srv127", timeline: 1 });
  expect(reserves).toEqual([{ node: "srv129", classes: ["database", "role", "disk"] }]);
  expect(notes.join("\n")).toContain("main.castellan-old until the copy is proved");
});

test("with pools the row is attached in the one step, before which the guards leave it alone", () => {
  const { steps, noReturn, reserves } = planOf(createWorld({ pool: true }));
  expect(ids(steps).slice(-2)).toEqual(["attach-pool/1", "drop-old-directory/srv129"]);
  expect(noReturn).toBe("attach-pool/1");
  expect(reserves).toEqual([
    { node: "srv129", classes: ["database", "role", "disk", "pool-row"] },
    { node: "srv127", classes: ["pool-row"] },
  ]);
});

test("the copy goes beside what is there, through no slot, and its WAL is held by the node's own", () => {
  const { steps } = planOf(createWorld());
  const copy = step(steps, "base-backup/srv129");
  expect(copy).toMatchObject({ args: { slot: null, besideOld: true, tablespaces: [] } });
  expect(copy?.preview[0]).not.toContain("-S");
});

test.each([
  ["is missing", []],
  ["was never streamed through", [{ restartLsn: null, retainedBytes: null, active: false }]],
])("a slot that %s is made anew, before anything is stopped", (_title, parts) => {
  const world = createWorld();
  const [known] = world.facts.get("srv127")?.database.slots ?? [];
  if (known === undefined) throw new Error("no slot");
  changeDatabase(world, "srv127", { slots: parts.map((part) => ({ ...known, ...part })) });
  const { steps } = planOf(world);
  expect(ids(steps)).toEqual(["renew-slot/srv127", ...proven, "drop-old-directory/srv129"]);
  expect(steps[0]).toMatchObject({
    on: "srv127",
    args: { slot: "slot_srv129", forNode: "srv129" },
    preconditions: { role: "primary", timeline: 1 },
  });
});

test("what was accepted of files below the data directory is named to the host, and no other", () => {
  const hash = "a".repeat(64);
  const accepted = [
    { path: "/var/lib/postgresql/15/main/postgresql.conf", hash },
    { path: "/var/lib/postgresql/15/main/recovery.conf", hash: null },
    { path: "/etc/elsewhere.conf", hash },
  ];
  const { steps } = planOf(createWorld(), { accepted });
  expect(step(steps, "keep-own-files/srv129")).toMatchObject({
    args: { accepted: [accepted[0]], upstream: { node: "srv127", host: "192.168.4.127" } },
  });
});

test("of any cluster: nothing is stopped before its WAL is held, nothing attached before it is verified, one plan for one state", () => {
  const options = fc.record({
    pool: fc.boolean(),
    product: fc.constantFrom<NonNullable<WorldOptions["product"]>>("postgresql", "kingbase-v8r3"),
    loopback: fc.boolean(),
  });
  fc.assert(
    fc.property(options, fc.boolean(), (of, hasSlot) => {
      const make = () => {
        const world = createWorld(of);
        if (!hasSlot) changeDatabase(world, "srv127", { slots: [] });
        return planOf(world);
      };
      const plan = make();
      const kinds = plan.steps.map(({ kind }) => kind);
      const at = (kind: PlanStep["kind"]): number => kinds.indexOf(kind);
      expect(new Set(ids(plan.steps)).size).toBe(plan.steps.length);
      expect(at("renew-slot")).toBe(hasSlot ? -1 : 0);
      expect(at("stop-standby")).toBeLessThan(at("base-backup"));
      expect(at("keep-own-files")).toBeLessThan(at("swap-data-directory"));
      if (of.pool) expect(at("attach-pool")).toBeGreaterThan(at("verify-data"));
      expect(kinds.at(-1)).toBe("drop-old-directory");
      expect(plan.noReturn).toBe(plan.steps.at(-2)?.id);
      expect(planDigest("ESHA", make())).toBe(planDigest("ESHA", plan));
    }),
    { numRuns: 30 },
  );
});
