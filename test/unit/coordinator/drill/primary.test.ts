import { expect, test } from "vitest";
import { commandKinds } from "#shared/domain/commands.ts";
import { renderDrill } from "#coordinator/cli/render/drill.ts";
import { defaultAddNodeLimits } from "#coordinator/operations/add-node/situation.ts";
import { changesRoles } from "#coordinator/operations/changes-roles.ts";
import { checkDrill, type DrillSituation } from "#coordinator/operations/drill/checks.ts";
import { planDrill } from "#coordinator/operations/drill/plan.ts";
import { drillReport } from "#coordinator/operations/drill/report.ts";
import type { Plan } from "#coordinator/operations/plan.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { addFollower, changeAgent, changeVerbs } from "../switchover/scene.ts";
import { change, changePool, changeSettings, createWorld, type World } from "../world.ts";
import { complaintsOf, nodesOf } from "../rebuild-node/scene.ts";

const ours = "/usr/bin/node /usr/lib/castellan/castellan-failover.js %d %h";

/** srv129 and srv159 stream from srv127; guards are in charge, and both pools call our executor. */
function healthy(edit: (world: World) => void = () => undefined): World {
  const world = addFollower(createWorld({ pool: true }));
  for (const node of ["srv127", "srv129", "srv159"]) {
    changeVerbs(world, node, [...commandKinds]);
    changePool(world, node, { settings: { failover_command: ours } });
    guardMode(node, "enforce")(world);
  }
  edit(world);
  return world;
}

function guardMode(node: string, mode: "observe" | "enforce" | "maintenance") {
  return (world: World): void =>
    change(world, node, (facts) => ({ ...facts, guard: { ...facts.guard, mode } }));
}

function situationOf(world: World, asked: Partial<DrillSituation> = {}): DrillSituation {
  const nodes = nodesOf(world);
  const name = asked.asked ?? "srv127";
  return {
    asked: name,
    subject: nodes.find(({ declared }) => declared.name === name) ?? null,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    declaration: world.declaration,
    scenario: "node",
    kind: "stop",
    acceptLoss: false,
    ...asked,
  };
}

const cascade = { scenario: "cascade", asked: "srv159" } as const;

function planOf(asked: Partial<DrillSituation> = {}, restore = true): Plan {
  const world = healthy();
  const { declaration } = world;
  const cluster = { file: "/clusters/ESHA.yaml", yaml: "", hash: "0".repeat(64), declaration };
  return planDrill(situationOf(world, asked), restore, cluster, [], defaultAddNodeLimits);
}

function replication(part: { readonly state?: string; readonly replayLsn?: string }) {
  return (world: World): void =>
    change(world, "srv127", (facts) => ({
      ...facts,
      database: {
        ...facts.database,
        position: "0/9000000",
        replication: facts.database.replication.map((row) => ({
          ...row,
          replayLsn: "0/9000000",
          ...(row.applicationName === "srv159" ? part : {}),
        })),
      },
    }));
}

const cases: readonly {
  readonly title: string;
  readonly edit?: (world: World) => void;
  readonly asked?: Partial<DrillSituation>;
  readonly says: readonly string[];
}[] = [
  { title: "let through where all is well", says: [] },
  { title: "let through as a cascade", asked: cascade, says: [] },
  {
    title: "refused without another node",
    edit: (world) => {
      Object.assign(world, {
        declaration: { ...world.declaration, nodes: world.declaration.nodes.slice(0, 1) },
      });
    },
    says: ["target: ESHA has no standby"],
  },
  {
    title: "refused while an agent is away, wherever it is",
    edit: (world) => changeAgent(world, "srv159", { connected: false }),
    says: [
      "agents: the agent of srv159 is away",
      "guard-in-charge: the guard of srv159 is in mode",
    ],
  },
  {
    title: "refused while a standby does not stream",
    edit: replication({ state: "catchup" }),
    says: ["standbys: srv159 does not stream from srv127"],
  },
  {
    title: "refused while a standby is behind",
    edit: replication({ replayLsn: "0/3000000" }),
    says: ["standbys: srv159 is 96.0 MiB behind, at most 1.0 MiB is wanted"],
  },
  {
    title: "refused as a crash where replication is asynchronous",
    asked: { kind: "kill" },
    says: ["loss: replication is asynchronous"],
  },
  {
    title: "let through as a crash where the loss is accepted",
    asked: { kind: "kill", acceptLoss: true },
    says: [],
  },
  {
    title: "let through as a crash where commits wait for a standby",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "ANY 1 (srv129, srv159)" }), // prettier-ignore
    asked: { kind: "kill" },
    says: [],
  },
  {
    title: "refused as a cascade where the one that is left may lack commits",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "ANY 1 (srv129, srv159)" }), // prettier-ignore
    asked: cascade,
    says: ["synchronous: with srv129 down nobody would be promoted"],
  },
  {
    title: "refused as a cascade towards the primary",
    asked: { ...cascade, asked: "srv127" },
    says: ["target: srv127 leads already"],
  },
  {
    title: "refused as a cascade towards no node",
    asked: { ...cascade, asked: "srv999" },
    says: ["subject: srv999 is no node"],
  },
  {
    title: "refused where a guard only observes",
    edit: guardMode("srv159", "observe"),
    says: ["guard-in-charge: the guard of srv159 is in mode observe"],
  },
  {
    title: "refused during maintenance",
    edit: guardMode("srv129", "maintenance"),
    says: ["guard-in-charge: the guard of srv129 is in mode maintenance"],
  },
  {
    title: "refused where a pool calls nobody",
    edit: (world) => changePool(world, "srv129", { settings: { failover_command: "" } }),
    says: ["executor: the pool of srv129 calls nothing when it loses its primary"],
  },
  {
    title: "refused where a pool calls another failover script",
    edit: (world) => changePool(world, "srv127", { settings: { failover_command: "/x/failover_stream.sh %d" } }), // prettier-ignore
    says: ["executor: the pool of srv127 calls /x/failover_stream.sh"],
  },
];

test.each(cases)("a drill of the primary is $title", ({ edit, asked, says }) => {
  const found = complaintsOf(() => checkDrill(situationOf(healthy(edit), asked)));
  expect(found.map((line, index) => line.slice(0, says[index]?.length))).toEqual(says);
});

test("the failover is let through, and what it left is brought back", () => {
  const plan = planOf({ kind: "kill" });
  expect(plan.steps.map(({ id }) => id)).toEqual(["drill/srv127", "bring-back/srv127", "hand-back/srv127"]); // prettier-ignore
  expect(plan.steps[0]).toMatchObject({
    args: {
      fault: "kill-primary",
      client: "srv129",
      streams: [{ on: "srv129" }, { on: "srv159" }],
      attachment: { row: { id: 0 } },
    },
  });
  expect(plan).toMatchObject({ noReturn: "drill/srv127" });
  // Who leads afterwards is no ground of it, and nobody's guard is kept from anything.
  expect(plan.premise).toBeUndefined();
  expect(plan.reserves).toBeUndefined();
});

test("it has no word on who leads but while it takes its fault back", () => {
  const plan = planOf();
  for (const state of ["planned", "running", "paused", "needs-attention"] as const) {
    expect(changesRoles({ kind: "drill", plan, state })).toBe(false);
  }
  expect(changesRoles({ kind: "drill", plan, state: "rolling-back" })).toBe(true);
});

test("in a cascade the others stop first, and all come back", () => {
  const plan = planOf(cascade);
  expect(plan.steps.map(({ id }) => id)).toEqual([
    "stop-standby/srv129",
    "drill/srv127",
    "bring-back/srv129",
    "bring-back/srv127",
    "hand-back/srv127",
  ]);
  expect(plan.steps[1]).toMatchObject({ args: { streams: [{ on: "srv159" }] } });
});

test("without --restore the plan says who is left, and what brings them back", () => {
  const plan = planOf(cascade, false);
  expect(plan.steps.map(({ id }) => id)).toEqual(["stop-standby/srv129", "drill/srv127"]);
  expect(plan.notes.at(-1)).toContain("srv129 and srv127 are left to the guards");
});

test("the report says who took over and why, and when all was back and as before", () => {
  const plan = planOf(cascade);
  const drill = {
    struckAt: 10_000,
    writes: { answered: 900, failed: 7, longestGapMs: 2_120.4 },
    reads: { answered: 800, failed: 2, longestGapMs: 80 },
    lost: 1,
    primary: "192.168.4.159:5432",
    because: "srv127 is stopped behind a standby marker; srv159 has most",
  };
  const evidence = { alreadyDone: false, lines: [], files: [] };
  const record: OperationRecord = {
    id: "op-abcdefgh",
    kind: "drill",
    cluster: "ESHA",
    subject: "srv159",
    requestedBy: "dba@console",
    requestedAt: 1_000,
    onFailure: "rollback",
    plan,
    state: "succeeded",
    startedAt: 2_000,
    endedAt: 60_000,
    failure: null,
    restores: 0,
    steps: plan.steps.map(({ kind }, index) => ({
      index,
      state: "done",
      attempt: 1,
      startedAt: 2_000,
      endedAt: 40_000 + index,
      evidence: kind === "drill" ? { ...evidence, drill } : evidence,
      failure: null,
    })),
  };
  const report = drillReport(record);
  expect(report).toMatchObject({
    node: "srv127",
    stoppedBefore: ["srv129"],
    kind: "stop",
    primary: { before: "srv127", after: "srv159", why: drill.because },
    blackoutMs: { writes: 2_120, reads: 80 },
    lostAcknowledged: 1,
    redundancyMs: 30_003,
    layoutMs: 30_004,
  });
  const text = renderDrill(report).join("\n");
  expect(text).toContain("| stopped before | srv129 |");
  expect(text).toContain("| srv127 leads again after | 30.0 s |");
  const halfway = record.steps.map((step) => (step.index > 2 ? { ...step, state: "failed" as const } : step)); // prettier-ignore
  expect(drillReport({ ...record, state: "paused", steps: halfway })).toMatchObject({
    redundancyMs: null,
    layoutMs: null,
  });
});
