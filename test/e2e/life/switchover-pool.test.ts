import { expect, test } from "vitest";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { writeThroughPool } from "#test/e2e/support/pool-writer.ts";

const hosts = ["127", "129", "159"].map((id) => ({ name: `srv${id}`, address: `192.168.4.${id}` }));
const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

test.each(lanes)(
  "through the pool nobody's acknowledged row is lost, and every pool agrees: %s",
  async (_title, lane) => {
    const lab = await testLab({ hosts: [...hosts, { name: "coord", address: "192.168.4.10" }] });
    await using cluster = await createCluster(lab, {
      ...lane,
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
    for (const to of ["srv159", "srv127"]) {
      const done = await castellan.json<OperationRecord>(["switchover", cluster.name, "--to", to, "--yes"]); // prettier-ignore
      expect(done.state).toBe("succeeded");
      for (const { name } of pools.nodes) {
        const rows = await pools.show(name);
        expect(rows.map(({ status }) => status)).toEqual(["up", "up", "up"]);
        const primaries = rows.filter(({ role }) => role === "primary");
        expect(primaries.map(({ hostname }) => hostname)).toEqual([cluster.node(to).address]);
      }
    }
    const acknowledged = await writer.stop();
    const kept = await cluster.sql(
      "srv127",
      "SELECT id::int AS id FROM ledger WHERE note = 'pooled'",
    );
    const ids = new Set(kept.map(({ id }) => id));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  },
);
