import fc from "fast-check";
import { expect, test } from "vitest";
import type { Plan } from "#coordinator/operations/plan.ts";
import { planRemove } from "#coordinator/operations/remove-node/plan.ts";
import { change, changeSettings, type World } from "../world.ts";
import { changeAgent } from "../switchover/scene.ts";
import { removeWorld, situationOf } from "./scene.ts";

type Asked = Parameters<typeof situationOf>[1];
const planOf = (world: World, asked?: Asked): Plan => planRemove(situationOf(world, asked), []);
const ids = ({ steps }: Plan): readonly string[] => steps.map(({ id }) => id);

const enforced = (world: World): void =>
  change(world, "srv129", (facts) => ({
    ...facts,
    guard: { ...facts.guard, mode: "enforce", lasting: "enforce" },
  }));

test("nobody waits for it, nobody reads from it, it stops, and then it is forgotten", () => {
  const world = removeWorld({ pool: true });
  changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129, srv127)" });
  enforced(world);
  const plan = planOf(world);
  expect(ids(plan)).toEqual([
    "set-synchronous-list/srv127",
    "detach-pool/1",
    "set-guard-mode/srv129",
    "drop-slots/srv129",
    "stop-standby/srv129",
    "remove-entries/srv127",
    "drop-slots/srv127",
    "undeclare-node",
  ]);
  expect(plan.noReturn).toBe("undeclare-node");
  expect(plan.steps[0]).toMatchObject({ args: { value: "1 (srv127)" } });
  expect(plan.notes.join("\n")).toContain("The data stays on srv129");
});

test("data is deleted after everything else, and only if it is asked for", () => {
  const plan = planOf(removeWorld(), { deleteData: true });
  expect(plan.steps.at(-1)).toMatchObject({ id: "delete-data/srv129", kind: "delete-data" });
  expect(ids(plan).at(-2)).toBe(plan.noReturn);
});

test("nothing is done on a host that is gone, and that is said", () => {
  const world = removeWorld({ pool: true });
  changeAgent(world, "srv129", { connected: false });
  const plan = planOf(world, { gone: true });
  expect(plan.steps.filter(({ on }) => on === "srv129")).toEqual([]);
  expect(plan.notes[0]).toContain("nothing is done on srv129");
});

test("a row below a higher number is left as a spare", () => {
  const world = removeWorld({ pool: true });
  change(world, "srv127", (facts) => ({
    ...facts,
    files: facts.files.map((file) =>
      file.path === "/etc/pgpool2/pgpool.conf" || file.path.endsWith("pgpool.conf")
        ? {
            ...file,
            maskedText: `${file.maskedText ?? ""}backend_hostname2 = '192.168.4.160'\nbackend_port2 = 5432\n`,
          }
        : file,
    ),
  }));
  const plan = planOf(world);
  const step = plan.steps.find(({ id }) => id === "remove-entries/srv127");
  expect(step).toMatchObject({ args: { entries: [{ of: "hba" }, { of: "pool", isSpare: true }] } });
  expect(plan.notes.join("\n")).toContain("stays in every pool's file as a spare row");
});

test("where all nodes are one host its hba lines are everybody's, and stay", () => {
  const plan = planOf(removeWorld({ loopback: true }));
  expect(ids(plan)).not.toContain("remove-entries/srv127");
});

test("whatever stands there, the node stops before its slots go, and nothing follows the declaration but its data", () => {
  fc.assert(
    fc.property(
      fc.record({
        pool: fc.boolean(),
        product: fc.constantFrom("postgresql" as const, "kingbase-v8r3" as const),
        deleteData: fc.boolean(),
        list: fc.constantFrom("", "1 (srv129,srv127)", "srv127, srv129", "*"),
        guard: fc.boolean(),
      }),
      ({ pool, product, deleteData, list, guard }) => {
        const world = removeWorld({ pool, product });
        changeSettings(world, "srv127", { synchronous_standby_names: list });
        if (guard) enforced(world);
        const plan = planOf(world, { deleteData });
        const all = ids(plan);
        expect(new Set(all).size).toBe(all.length);
        expect(all.indexOf("stop-standby/srv129")).toBeLessThan(all.indexOf("drop-slots/srv127"));
        expect(all.slice(all.indexOf("undeclare-node") + 1)).toEqual(
          deleteData ? ["delete-data/srv129"] : [],
        );
        for (const start of ["set-synchronous-list/srv127", "detach-pool/1"]) {
          expect(all.indexOf(start)).toBeLessThan(all.indexOf("stop-standby/srv129"));
        }
        expect(planOf(world, { deleteData })).toEqual(plan);
      },
    ),
  );
});
