import { expect, test } from "vitest";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { labHosts } from "#test/e2e/support/hosts.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { writeThroughPool } from "#test/e2e/support/pool-writer.ts";

test("clients of the pool write on while a management node is copied anew, and its row is up on every pool afterwards: KingbaseES' names on PostgreSQL 10", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129", "srv159"],
    pool: true,
    poolSettings: { failover_command: "''" },
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);
  const { pools } = cluster;
  if (pools === null) throw new Error("no pools");
  const writer = writeThroughPool(cluster);
  const done = await castellan.json<OperationRecord>(["node", "rebuild", cluster.name, "srv129", "--yes"]); // prettier-ignore
  expect(done.state).toBe("succeeded");
  for (const { name } of pools.nodes) {
    const rows = await pools.show(name);
    expect(rows.map(({ status }) => status)).toEqual(["up", "up", "up"]);
  }
  const acknowledged = await writer.stop();
  const kept = await cluster.sql("srv127", "SELECT id::int AS id FROM ledger WHERE note = 'pooled'"); // prettier-ignore
  const ids = new Set(kept.map(({ id }) => id));
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
});
