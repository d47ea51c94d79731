import { expect, test } from "vitest";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { defaultAddNodeLimits } from "#coordinator/operations/add-node/situation.ts";
import type { SubjectSituation } from "#coordinator/operations/rebuild-node/subject-checks.ts";
import { checkRejoin } from "#coordinator/operations/rejoin-node/checks.ts";
import { planRejoin } from "#coordinator/operations/rejoin-node/plan.ts";
import type { WorldOptions } from "../declared-node.ts";
import { change, changeDatabase, changeSettings, createWorld, type World } from "../world.ts";
import { clusterOf, complaintsOf, nodesOf } from "../rebuild-node/scene.ts";

/** srv129 is a former primary that is stopped; srv127 leads. */
function fencedWorld(options: WorldOptions = {}): World {
  const world = createWorld(options);
  changeDatabase(world, "srv129", { status: "stopped", role: null, receiver: null });
  return world;
}

function situationOf(world: World, asked = "srv129"): SubjectSituation {
  const nodes = nodesOf(world);
  return {
    asked,
    subject: nodes.find(({ declared }) => declared.name === asked) ?? null,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    declaration: world.declaration,
  };
}

const complaints = (world: World, asked?: string): readonly string[] =>
  complaintsOf(() => checkRejoin(situationOf(world, asked)));
const marked = (facts: NodeFacts): NodeFacts => ({
  ...facts,
  guard: {
    ...facts.guard,
    findings: [
      {
        rule: "needs-rebuild",
        because: "this node can't be brought back by a rewind",
        since: 1,
        severity: "critical",
        would: [],
        evidence: "no timeline in common",
        next: "castellan node rebuild",
      },
    ],
  },
});

test("a former primary follows, is seen to stream, and is attached; once rewound it only goes on", () => {
  const world = fencedWorld({ pool: true });
  const cluster = clusterOf(world);
  const plan = planRejoin(situationOf(world), cluster, [], defaultAddNodeLimits);
  expect(plan.steps.map(({ id }) => id)).toEqual(["rejoin/srv129", "prove-streaming/srv129", "attach-pool/1"]); // prettier-ignore
  expect(plan.steps[0]).toMatchObject({ args: { node: "srv127", host: "192.168.4.127" } });
  expect(plan.noReturn).toBe("rejoin/srv129");
  expect(plan.reserves).toEqual([
    { node: "srv129", classes: ["database", "role", "pool-row"] },
    { node: "srv127", classes: ["pool-row"] },
  ]);
});

test("nothing stands in the way of a stopped node", () => {
  expect(complaints(fencedWorld())).toEqual([]);
});

test("the primary, no node, and a node that streams are refused", () => {
  expect(complaints(fencedWorld(), "srv127")[0]).toContain("subject: srv127 is the primary");
  expect(complaints(fencedWorld(), "srv999")[0]).toContain("srv999 is no node of ESHA");
  expect(complaints(createWorld())[0]).toContain("astray: srv129 streams: ");
});

test("where no rewind helps the rebuild is offered", () => {
  const world = fencedWorld();
  change(world, "srv129", marked);
  expect(complaints(world)).toEqual([
    "rewind-possible: srv129 can't be rewound: no timeline in common. castellan node rebuild ESHA srv129",
  ]);
});

test("a cluster without wal_log_hints or checksums is warned of, as a node without WAL of its own needs none", () => {
  const world = fencedWorld();
  changeSettings(world, "srv127", { wal_log_hints: "off", data_checksums: "off" });
  expect(complaints(world)[0]).toContain("warning rewind-possible: the cluster has neither");
});
