import { expect, test } from "vitest";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { renderDrill } from "#coordinator/cli/render/drill.ts";
import { defaultAddNodeLimits } from "#coordinator/operations/add-node/situation.ts";
import { checkDrill, type DrillSituation } from "#coordinator/operations/drill/checks.ts";
import { planDrill } from "#coordinator/operations/drill/plan.ts";
import { drillReport } from "#coordinator/operations/drill/report.ts";
import type { Plan } from "#coordinator/operations/plan.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { changeAgent } from "../switchover/scene.ts";
import { changeDatabase, changePool, changeSettings, createWorld, type World } from "../world.ts";
import { clusterOf, complaintsOf, nodesOf } from "../rebuild-node/scene.ts";

/** srv129 streams from srv127, both with a pool. */
function drillWorld(edit: (world: World) => void = () => undefined): World {
  const world = createWorld({ pool: true });
  for (const node of ["srv127", "srv129"]) changePool(world, node, { settings: {} });
  edit(world);
  return world;
}

function situationOf(world: World, asked: Partial<DrillSituation> = {}): DrillSituation {
  const nodes = nodesOf(world);
  const name = asked.asked ?? "srv129";
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

function planOf(world: World, restore: boolean, asked: Partial<DrillSituation> = {}): Plan {
  return planDrill(situationOf(world, asked), restore, clusterOf(world), [], defaultAddNodeLimits);
}

const alone = "warning redundancy: no standby but srv129 streams";
const receiver =
  (part: Partial<NonNullable<NodeFacts["database"]["receiver"]>> | null) => (world: World) => {
    const known = world.facts.get("srv129")?.database.receiver ?? null;
    changeDatabase(world, "srv129", { receiver: part === null || known === null ? null : { ...known, ...part } }); // prettier-ignore
  };

const cases: readonly {
  readonly title: string;
  readonly edit?: (world: World) => void;
  readonly asked?: Partial<DrillSituation>;
  readonly says: readonly string[];
}[] = [
  { title: "warned of, where it is the only standby", says: [alone] },
  {
    title: "refused for no node",
    asked: { asked: "srv999" },
    says: ["subject: srv999 is no node"],
  },
  {
    title: "refused while the node's agent is away",
    edit: (world) => changeAgent(world, "srv129", { connected: false }),
    says: ["subject: the agent of srv129 is away"],
  },
  {
    title: "refused for a node that does not stream",
    edit: receiver(null),
    says: ["streaming: srv129 does not stream"],
  },
  {
    title: "refused as a crash where replication is asynchronous",
    asked: { kind: "kill" },
    says: ["loss: replication is asynchronous"],
  },
  {
    title: "warned of only, where the loss is accepted",
    asked: { kind: "kill", acceptLoss: true },
    says: [alone],
  },
  {
    title: "refused where commits would wait for the node",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129)" }),
    says: ["synchronous: without srv129 commits would wait"],
  },
  {
    title: "refused while a pool is stopped",
    edit: (world) => changePool(world, "srv127", { settings: {}, status: "stopped" }),
    says: ["pools: the pool of srv127 is stopped"],
  },
  {
    title: "refused where the pool calls another failover script",
    edit: (world) => changePool(world, "srv127", { settings: { failover_command: "/x/failover_stream.sh %d" } }), // prettier-ignore
    says: ["failover-command: the pool of srv127 runs /x/failover_stream.sh"],
  },
];

test.each(cases)("a drill is $title", ({ edit, asked, says }) => {
  const found = complaintsOf(() => checkDrill(situationOf(drillWorld(edit), asked)));
  expect(found.map((line, index) => line.slice(0, says[index]?.length))).toEqual(says);
});

test("a cluster without a pool is refused", () => {
  const found = complaintsOf(() => checkDrill(situationOf(createWorld())));
  expect(found.some((line) => line.startsWith("a-pool: the cluster has no pool"))).toBe(true);
});

test("the client is on another host, and --restore brings the node back", () => {
  const plan = planOf(drillWorld(), true, { kind: "kill" });
  expect(plan.steps.map(({ id }) => id)).toEqual(["drill/srv129", "start-database/srv129", "prove-streaming/srv129", "attach-pool/1"]); // prettier-ignore
  expect(plan.steps[0]).toMatchObject({
    args: { node: "srv129", fault: "kill-standby", client: "srv127" },
  });
  expect(plan.noReturn).toBeUndefined();
  expect(plan.reserves).toEqual([
    { node: "srv129", classes: ["database", "role", "pool-row"] },
    { node: "srv127", classes: ["pool-row"] },
  ]);
});

test("without --restore the plan says what is left", () => {
  const plan = planOf(drillWorld(), false);
  expect(plan.steps.map(({ id }) => id)).toEqual(["drill/srv129"]);
  expect(plan.steps[0]).toMatchObject({ args: { fault: "stop-standby" } });
  expect(plan.notes[0]).toContain("srv129 is left as the fault leaves it");
});

function recordOf(world: World, restore: boolean, evidence: unknown): OperationRecord {
  const plan = planOf(world, restore);
  return {
    id: "op-abcdefgh",
    kind: "drill",
    cluster: "ESHA",
    subject: "srv129",
    requestedBy: "dba@console",
    requestedAt: 1_000,
    onFailure: "rollback",
    plan,
    state: evidence === null ? "rolled-back" : "succeeded",
    startedAt: 2_000,
    endedAt: 40_000,
    failure: null,
    restores: 0,
    steps: plan.steps.map((_, index) => ({
      index,
      state: "done",
      attempt: 1,
      startedAt: 2_000,
      endedAt: 30_000 + index,
      evidence: index === 0 ? evidence : null,
      failure: null,
    })),
  };
}

const measured = {
  alreadyDone: false,
  lines: [],
  files: [],
  drill: {
    struckAt: 10_000,
    writes: { answered: 900, failed: 1, longestGapMs: 120.4 },
    reads: { answered: 800, failed: 2, longestGapMs: 80 },
    lost: 0,
    primary: "192.168.4.127:5432",
  },
};

test("the report is read from the journal: who leads, the longest waits, what was lost, and when all was back", () => {
  const report = drillReport(recordOf(drillWorld(), true, measured));
  expect(report).toMatchObject({
    primary: { before: "srv127", after: "srv127" },
    blackoutMs: { writes: 120, reads: 80 },
    lostAcknowledged: 0,
    redundancyMs: 20_003,
  });
  const text = renderDrill(report).join("\n");
  expect(text).toContain("# Drill of srv129, ESHA");
  expect(text).toContain("| longest time without a write | 120 ms (900 acknowledged, 1 failed) |");
});

test("what was not restored has no time, and another primary is named", () => {
  const drill = { ...measured.drill, primary: "192.168.4.129:5432" };
  const report = drillReport(recordOf(drillWorld(), false, { ...measured, drill }));
  expect(report.redundancyMs).toBeNull();
  expect(report.primary).toMatchObject({ before: "srv127", after: "srv129" });
});

test("a drill that was taken back says that nothing was measured", () => {
  const report = drillReport(recordOf(drillWorld(), true, null));
  expect(report).toMatchObject({ struckAt: null, blackoutMs: null, lostAcknowledged: null });
  expect(renderDrill(report).at(-1)).toContain("castellan operation show op-abcdefgh");
});
