import { expect, test } from "vitest";
import { commandKinds, commands } from "#shared/domain/commands.ts";
import { forecastCopy } from "#coordinator/operations/add-node/forecast.ts";
import { planAddNode } from "#coordinator/operations/add-node/plan.ts";
import { runPreflight } from "#coordinator/operations/add-node/preflight/preflight.ts";
import { phases, type Plan } from "#coordinator/operations/plan.ts";
import type { AddNodeRequest } from "#coordinator/api/contract.ts";
import type { WorldOptions } from "../declared-node.ts";
import {
  change,
  changeDatabase,
  createWorld,
  loadRow,
  situationOf,
  type World,
  writeRow,
} from "../world.ts";
import { planText } from "./plan-text.ts";

function planOf(world: World, request: Partial<AddNodeRequest> = {}): Plan {
  const situation = situationOf(world, request);
  const forecast = forecastCopy(situation);
  if (forecast === null) throw new Error("no forecast");
  return planAddNode({ situation, checks: runPreflight(situation), forecast });
}

const fixture = (name: string): string => `../../../fixtures/plans/${name}.txt`;

test("the plan for PostgreSQL without a pool is the safe order", async () => {
  await expect(planText(planOf(createWorld()))).toMatchFileSnapshot(fixture("postgresql"));
});

test("the plan for PostgreSQL with two pools reloads and attaches", async () => {
  const plan = planOf(createWorld({ pool: true }));
  await expect(planText(plan)).toMatchFileSnapshot(fixture("postgresql-pool"));
});

test("the plan for KingbaseES writes its own files and extends the node lists everywhere", async () => {
  const plan = planOf(
    createWorld({ product: "kingbase-v8r3", pool: true, synchronous: "1 (srv127, srv129)" }),
  );
  await expect(planText(plan)).toMatchFileSnapshot(fixture("kingbase-v8r3"));
});

test("the plan for Debian's layout takes the configuration outside the data directory along", async () => {
  const plan = planOf(createWorld({ debian: true }));
  await expect(planText(plan)).toMatchFileSnapshot(fixture("debian"));
});

test("after a takeover the new node's guard is put in charge, once its vendor line is commented", () => {
  const world = createWorld({ product: "kingbase-v8r3" });
  const steps = () =>
    planOf(world)
      .steps.filter(({ phase }) => phase === "regime")
      .map(({ id }) => id);
  expect(steps()).toEqual(["join-regime/srv159"]);
  const inCharge = { lasting: "enforce", mode: "maintenance" } as const;
  change(world, "srv127", (facts) => ({ ...facts, guard: { ...facts.guard, ...inCharge } }));
  expect(steps()).toEqual(["join-regime/srv159", "set-guard-mode/srv159"]);
  const step = planOf(world).steps.find(({ kind }) => kind === "set-guard-mode");
  expect([step?.on, step?.args]).toEqual(["srv159", { mode: "enforce", by: "dba@console" }]);
});

test("a copy from a standby keeps the primary's slot and makes the standby's slot anew", () => {
  const plan = planOf(createWorld(), { source: "srv129" });
  const ids = plan.steps.map(({ id }) => id);
  expect(ids.indexOf("create-slot/srv129/after-copy")).toBeGreaterThan(
    ids.indexOf("base-backup/srv159"),
  );
  const backup = plan.steps.find(({ kind }) => kind === "base-backup");
  expect(backup?.args).toMatchObject({
    source: { node: "srv129" },
    slotHolder: { node: "srv127" },
  });
  expect(plan.notes.join()).toContain("restartpoint of srv129");
});

test("only the slot on the primary reserves WAL, and it has a budget", () => {
  const slots = planOf(createWorld({ pool: true })).steps.filter(
    ({ kind }) => kind === "create-slot",
  );
  const reserved = slots.filter((step) => step.kind === "create-slot" && step.args.reserve);
  expect(reserved.map(({ id }) => id)).toEqual(["create-slot/srv127"]);
  // The others have theirs from the day that they are streamed from: roles change without us.
  for (const { args } of slots) expect(args).toMatchObject({ walBudgetBytes: 64 * 1024 ** 3 });
});

test("a slot's budget is what was asked for, and half of what is free where the WAL really lies", () => {
  const world = createWorld({ pool: true });
  const asked = { walBudgetBytes: 1024 ** 3 };
  expect(budgets(planOf(world, asked))).toEqual({ srv127: 1024 ** 3, srv129: 1024 ** 3 });
  const walDisk = {
    directory: "/wal",
    freeBytes: 1024 ** 2,
    totalBytes: 1024 ** 3,
    fillBytesPerSecond: null,
    secondsToFull: null,
  };
  change(world, "srv129", (facts) => ({ ...facts, guard: { ...facts.guard, walDisk } }));
  expect(budgets(planOf(world, asked))).toEqual({ srv127: 1024 ** 3, srv129: 1024 ** 2 / 2 });
});

function budgets(plan: Plan): Record<string, unknown> {
  return Object.fromEntries(
    plan.steps.flatMap((step) =>
      step.kind === "create-slot" && step.args.forNode === "srv159"
        ? [[step.on ?? "", step.args.walBudgetBytes]]
        : [],
    ),
  );
}

test("tablespaces keep their place on another host, and move beside the data on one host", () => {
  const tablespace = { oid: 16_400, name: "fast", location: "/srv/ts", bytes: 1_000 };
  const world = createWorld();
  changeDatabase(world, "srv127", { tablespaces: [tablespace] });
  expect(backupOf(planOf(world))).toMatchObject({
    tablespaces: [{ from: "/srv/ts", to: "/srv/ts" }],
  });
  const lab = createWorld({ loopback: true });
  changeDatabase(lab, "srv127", { tablespaces: [tablespace] });
  expect(backupOf(planOf(lab))).toMatchObject({
    tablespaces: [
      { from: "/srv/ts", to: "/srv/lab/srv159/var/lib/postgresql/15/main.tablespaces/fast" },
    ],
  });
});

function backupOf(plan: Plan) {
  return plan.steps.find(({ kind }) => kind === "base-backup")?.args;
}

test("a prepared row that every pool runs with is only attached", () => {
  const world = createWorld({ pool: true });
  const row = { id: 2, hostname: "192.168.4.159" };
  for (const node of ["srv127", "srv129"]) {
    loadRow(world, node, row);
    writeRow(world, node, row);
  }
  const plan = planOf(world);
  expect(plan.steps.some(({ kind }) => kind === "append-backend")).toBe(false);
  expect(plan.steps.some(({ kind }) => kind === "attach-pool")).toBe(true);
  expect(plan.notes.join()).toContain("Way (a)");
});

test("without a root helper on one pool's host no door is held, and the plan says what that costs", () => {
  const world = createWorld({ pool: true });
  const facts = world.facts.get("srv129");
  if (facts === undefined) throw new Error("no facts");
  const agent = world.agents.get("srv129");
  if (agent !== undefined) {
    world.agents.set("srv129", {
      ...agent,
      facts: { ...facts, host: { ...facts.host, rootHelperVerbs: [] } },
    });
  }
  const plan = planOf(world);
  expect(plan.steps.find(({ kind }) => kind === "attach-pool")?.args).toMatchObject({
    holdDoor: false,
  });
  expect(plan.notes.join()).toContain("reconnect once");
});

test("on one host the hba lines are about the address that every client shows", () => {
  const plan = planOf(createWorld({ loopback: true }));
  const hba = plan.steps.find(({ kind }) => kind === "open-hba");
  expect(JSON.stringify(hba?.args)).toContain("127.0.0.1/32");
});

test("a value of the source that names its own folders is moved with them", () => {
  const plan = planOf(createWorld({ loopback: true, product: "kingbase-v8r3" }));
  const files = plan.steps.find(({ kind }) => kind === "write-node-files");
  expect(JSON.stringify(files?.args)).toContain(
    "/srv/lab/srv159/home/kingbase/cluster/ESHA/archivedir/%f",
  );
  expect(files?.args).toMatchObject({
    settings: expect.arrayContaining([{ name: "listen_addresses", value: "127.0.4.159" }]),
  });
});

const worlds: readonly WorldOptions[] = (["postgresql", "kingbase-v8r3"] as const).flatMap(
  (product) =>
    ["1 (srv127, srv129)", "srv129", "ANY 1 (srv127,srv129)"].flatMap((synchronous) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
        product,
        synchronous,
        pool: (bits & 1) > 0,
        loopback: (bits & 2) > 0,
        vendorInCharge: (bits & 4) > 0,
      })),
    ),
);

test.each(worlds)(
  "every plan has unique step ids, known kinds, valid arguments and the safe order: %j",
  (options) => {
    for (const source of [null, "srv129"]) {
      for (const verify of ["none", "counts"] as const) {
        assertSafe(planOf(createWorld(options), { source, verify }), options);
      }
    }
  },
);

function assertSafe({ steps }: Plan, options: WorldOptions): void {
  const ids = steps.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const step of steps) {
    expect(step.id.length).toBeLessThanOrEqual(96);
    expect(phases).toContain(step.phase);
    if (step.on === null) continue;
    expect(commandKinds).toContain(step.kind);
    const parsed = commands[step.kind].args.safeParse(step.args);
    expect(parsed.error?.issues ?? []).toEqual([]);
  }
  const first = (kind: string): number => steps.findIndex((step) => step.kind === kind);
  const last = (kind: string): number => steps.findLastIndex((step) => step.kind === kind);
  expect(last("open-hba")).toBeLessThan(first("prove-login"));
  expect(first("prove-login")).toBeLessThan(first("create-slot"));
  expect(ids.indexOf("create-slot/srv127")).toBeLessThan(first("base-backup"));
  expect(first("base-backup")).toBeLessThan(first("write-node-files"));
  expect(first("write-node-files")).toBeLessThan(first("start-database"));
  expect(first("prove-streaming")).toBeLessThan(first("verify-data"));
  if (options.pool === true) {
    expect(first("verify-data")).toBeLessThan(first("append-backend"));
    expect(last("append-backend")).toBeLessThan(first("attach-pool"));
    expect(first("attach-pool")).toBeLessThan(first("prove-reads"));
  }
  expect(first("set-synchronous-list")).toBeGreaterThan(first("verify-data"));
  expect(steps.at(-1)?.kind).toBe("declare-node");
  const order = steps.map(({ phase }) => phases.indexOf(phase));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
}

test("no password and no masked secret stands in a plan's arguments", () => {
  const plan = planOf(createWorld({ product: "kingbase-v8r3", pool: true }));
  const files = plan.steps.find(({ kind }) => kind === "write-node-files");
  expect(files?.args).toMatchObject({
    haModule: {
      scalars: expect.arrayContaining([{ key: "KB_PASS", value: { secret: "database" } }]),
    },
  });
  const model = JSON.stringify(files?.args);
  expect(model).not.toContain("[secret]");
});
