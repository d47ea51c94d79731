import { expect, test } from "vitest";
import { poolRules } from "#agent/decide/rules/pool-rules.ts";
import { emptyMemory, type GuardMemory, type GuardView } from "#agent/decide/view.ts";
import type { PoolFacts, PoolRow } from "#shared/domain/facts.ts";
import { peer, primary, threeNodes, view } from "./view-builder.ts";

const running: PoolFacts = {
  kind: "pgpool",
  status: "running",
  problem: null,
  pid: 7,
  version: null,
  rows: [],
  isLeader: true,
  clientSessions: 0,
  settings: {},
};
const stopped: PoolFacts = { ...running, status: "stopped", pid: null };
const verbs = ["pool-start"];

function judge(seen: GuardView, memory: GuardMemory = emptyMemory) {
  return Object.fromEntries(
    poolRules.flatMap(({ id, when, steps }) => {
      const evidence = when(seen, memory, 0);
      if (evidence === null) return [];
      return [[id, [evidence, (steps?.(seen, memory) ?? []).map((step) => step.do)]]];
    }),
  );
}

test("a pool that died is started again where the root helper can, and told where it can't", () => {
  const dead = { pool: stopped, hasDeadPool: true };
  expect(judge(view(primary(), { ...dead, rootHelperVerbs: verbs }))).toEqual({
    "pool-dead": ["its pid file names no living process", ["restart-pool"]],
  });
  expect(judge(view(primary(), dead))).toMatchObject({ "pool-dead": [expect.any(String), []] });
});

test("a pool that was stopped by someone stays stopped, and only one that has run is told", () => {
  const seen = view(primary(), { pool: stopped, rootHelperVerbs: verbs });
  expect(judge(seen)).toEqual({});
  expect(judge(seen, { ...emptyMemory, hadPool: true })).toEqual({
    "pool-stopped": ["no process and no pid file", []],
  });
  expect(judge(view(primary(), { pool: running, rootHelperVerbs: verbs }))).toEqual({});
});

test("two nodes that take writes are named with their timelines", () => {
  const cluster = threeNodes();
  const two = view(primary(), { cluster, peers: [peer("srv129", { database: "primary", timeline: 2 })] }); // prettier-ignore
  expect(judge(two)).toMatchObject({
    "two-primaries": ["srv127 (timeline 1), srv129 (timeline 2)", []],
  });
  const elsewhere = [peer("srv127", { database: "primary" }), peer("srv159", { database: "primary" })]; // prettier-ignore
  const standby = view(primary({ role: "standby" }), { node: "srv129", cluster, peers: elsewhere });
  expect(judge(standby)).toHaveProperty("two-primaries");
  expect(judge(view(primary(), { cluster, peers: [peer("srv129")] }))).toEqual({});
});

test("a pool that names another primary than the databases, or nobody, is told, and nothing is done for its word", () => {
  const row = (id: number, role: string): PoolRow => ({
    id,
    hostname: `192.168.4.${127 + 2 * id}`,
    port: 54321,
    status: "up",
    role,
    weight: 1,
  });
  const says = (leader: number | null) =>
    view(primary(), {
      cluster: threeNodes(),
      peers: [peer("srv129")],
      pools: [
        {
          node: "srv129",
          at: 1,
          status: "answers",
          rows: [0, 1].map((id) => row(id, id === leader ? "primary" : "standby")),
          problem: null,
        },
      ],
    });
  expect(judge(says(0))).toEqual({});
  expect(judge(says(1))).toEqual({
    "pool-contradicts-database": ["the pool of srv129 names srv129; the primary is srv127", []],
  });
  expect(judge(says(null))).toEqual({
    "pool-contradicts-database": ["the pool of srv129 names nobody; the primary is srv127", []],
  });
});

test("a pool that nobody answered when it lost its primary is told, until a primary is seen", () => {
  const unanswered = { at: 0, lost: "192.168.4.127:5432" };
  const standby = primary({ role: "standby" });
  expect(judge(view(standby, { unanswered }))).toEqual({
    "failover-unanswered": [
      "it lost 192.168.4.127:5432 at 1970-01-01T00:00:00.000Z, and no primary is seen",
      [],
    ],
  });
  const peers = [peer("srv129", { database: "primary" })];
  expect(judge(view(standby, { unanswered, peers }))).toEqual({});
  expect(judge(view(standby))).toEqual({});
});
