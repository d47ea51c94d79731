import { expect, test } from "vitest";
import type { DrillReport } from "#coordinator/operations/drill/report.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { labHosts } from "#test/e2e/support/hosts.ts";
import { enforce } from "#test/e2e/support/guard.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions, asked: readonly string[]])[] = [
  ["stopped, PostgreSQL 15", { product: "postgresql" }, ["--kind", "stop"]],
  ["killed, KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }, ["--kind", "kill", "--accept-loss"]], // prettier-ignore
];

test.each(lanes)(
  "a drill says what the pool's clients felt of a standby that was %s, and leaves all as before",
  async (_title, lane, asked) => {
    const lab = await testLab({ hosts: labHosts });
    await using cluster = await createCluster(lab, {
      ...lane,
      nodes: ["srv127", "srv129", "srv159"],
      pool: true,
      poolSettings: { failover_command: "''" },
    });
    await using castellan = await installCastellan(cluster, {
      coordinatorHost: lab.host("coord"),
    });
    await castellan.cli(["cluster", "import", cluster.name]);
    await enforce(castellan, cluster.nodes);
    const { host, paths } = cluster.node("srv129");
    const postmaster = async () => (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n")[0]; // prettier-ignore
    const before = await postmaster();
    const done = await castellan.json<OperationRecord>(["drill", cluster.name, "--node", "srv129", ...asked, "--restore", "--yes"]); // prettier-ignore
    expect(done).toMatchObject({ kind: "drill", state: "succeeded" });
    expect(await postmaster()).not.toBe(before);

    const report = await castellan.json<DrillReport>(["drill", "show"]);
    expect(report).toMatchObject({
      operation: done.id,
      node: "srv129",
      primary: { before: "srv127", after: "srv127" },
      lostAcknowledged: 0,
    });
    expect(report.writes?.answered).toBeGreaterThan(0);
    expect(report.reads?.answered).toBeGreaterThan(0);
    expect(report.redundancyMs).toBeGreaterThan(0);
    const text = (await castellan.cli(["drill", "show", done.id])).stdout;
    expect(text).toContain(`| acknowledged rows lost | 0 |`);
    expect((await castellan.cli(["drill", "list"])).stdout).toContain(done.id);
    const left = await cluster.sql("srv127", "SELECT 1 FROM pg_tables WHERE tablename LIKE 'castellan_drill%'"); // prettier-ignore
    expect(left).toEqual([]);
    const streaming = await cluster.sql("srv127", "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"); // prettier-ignore
    expect(streaming.length).toBe(2);
    for (const { name } of cluster.pools?.nodes ?? []) {
      const rows = await cluster.pools?.show(name);
      expect(rows?.map(({ status }) => status)).toEqual(["up", "up", "up"]);
    }
  },
);
