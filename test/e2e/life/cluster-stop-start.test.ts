import { expect, test } from "vitest";
import type { ProgramStatus } from "#coordinator/api/cluster-run-contract.ts";
import type { GuardAnswer } from "#coordinator/api/guard-contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { writeThroughPool } from "#test/e2e/support/pool-writer.ts";

const hosts = ["127", "129", "159"].map((id) => ({ name: `srv${id}`, address: `192.168.4.${id}` }));
const lanes: readonly (readonly [title: string, lane: LaneOptions, programs: readonly string[]])[] =
  [
    ["PostgreSQL 15", { product: "postgresql" }, ["pgpool", "postgres"]],
    ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }, ["kingbasecluster", "kingbase"]], // prettier-ignore
  ];
type Ended = OperationRecord & { readonly programs: readonly ProgramStatus[] };

test.each(lanes)(
  "a cluster that is stopped under load stays so, and is started without the loss of a row: %s",
  async (_title, lane, programs) => {
    const lab = await testLab({ hosts: [...hosts, { name: "coord", address: "192.168.4.10" }] });
    await using cluster = await createCluster(lab, {
      ...lane,
      nodes: hosts.map(({ name }) => name),
      pool: true,
    });
    await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
    await castellan.cli(["cluster", "import", cluster.name]);
    await enforce(castellan, cluster.nodes);
    const writer = writeThroughPool(cluster);
    const stopped = await run(castellan, "stop");
    const acknowledged = await writer.stop();
    const table = programs.flatMap((program) => Array.from(cluster.nodes, () => program));
    expect(stopped.programs.map(({ program }) => program)).toEqual(table);
    expect(new Set(stopped.programs.map(({ status }) => status))).toEqual(new Set(["inactive"]));

    for (const { name } of cluster.nodes) {
      await castellan.killAgent(name);
      await castellan.startAgent(name);
    }
    await castellan.killCoordinator();
    await castellan.startCoordinator();
    await castellan.connected(cluster.nodes.map(({ name }) => name));
    await guardsHaveLooked(castellan, cluster);
    for (const { name } of cluster.nodes) expect(await cluster.isRunning(name)).toBe(false);

    const started = await run(castellan, "start");
    expect(new Set(started.programs.map(({ status }) => status))).toEqual(new Set(["active"]));
    await expectServing(cluster);
    const kept = await cluster.sql("srv127", "SELECT id::int AS id FROM ledger WHERE note = 'pooled'"); // prettier-ignore
    const ids = new Set(kept.map(({ id }) => id));
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  },
);

function run(castellan: Castellan, verb: "stop" | "start"): Promise<Ended> {
  return castellan.json<Ended>(["cluster", verb, "--yes"]);
}

/** Each of them says that it leaves the node stopped, again and again. */
async function guardsHaveLooked(castellan: Castellan, cluster: TestCluster): Promise<void> {
  await waitFor(
    async () => {
      const { clusters } = await castellan.json<GuardAnswer>(["guard", "status"]);
      const nodes = clusters.flatMap((one) => one.nodes);
      return (
        nodes.length === cluster.nodes.length &&
        nodes.every(({ guard }) =>
          guard?.findings.some(({ rule }) => rule === "stopped-on-purpose"),
        )
      );
    },
    { timeoutMs: 30_000, what: "every guard to leave its node stopped" },
  );
}

async function expectServing(cluster: TestCluster): Promise<void> {
  const { pools } = cluster;
  if (pools === null) throw new Error("no pools");
  for (const { name } of pools.nodes) {
    const rows = await pools.show(name);
    expect(rows.map(({ status }) => status)).toEqual(["up", "up", "up"]);
  }
  const streaming = await cluster.sql("srv127", "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"); // prettier-ignore
  expect(streaming.length).toBe(2);
}
