import { expect, test } from "vitest";
import type { ProgramStatus } from "#coordinator/api/cluster-run-contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { writeThroughPool } from "#test/e2e/support/pool-writer.ts";

const hosts = ["127", "129", "159"].map((id) => ({ name: `srv${id}`, address: `192.168.4.${id}` }));
const names = hosts.map(({ name }) => name);
type Ended = OperationRecord & { readonly programs: readonly ProgramStatus[] };

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

test.each(lanes)(
  "a hot-standby parameter is raised node by node under load, and lowered again, without the loss of a row: %s",
  async (_title, lane) => {
    const lab = await testLab({ hosts: [...hosts, { name: "coord", address: "192.168.4.10" }] });
    await using cluster = await createCluster(lab, {
      ...lane,
      nodes: names,
      pool: true,
      poolSettings: { failover_command: "''" },
    });
    await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
    await castellan.cli(["cluster", "import", cluster.name]);
    await enforce(castellan, cluster.nodes);
    const writer = writeThroughPool(cluster);
    const before = await value(cluster, "srv127");
    const roll = () => castellan.json<Ended>(["cluster", "restart", "--rolling", "--yes"]);

    for (const name of names) await set(cluster, name, before + 20);
    const raised = await roll();
    expect(new Set(raised.programs.map(({ status }) => status))).toEqual(new Set(["active"]));
    expect(raised.steps.at(-1)?.state).toBe("done");
    // The switchover starts the former primary anew, as the last one.
    expect(restarted(raised)).toEqual(["srv129", "srv159"]);
    for (const name of names) expect(await value(cluster, name)).toBe(before + 20);
    expect(await roles(cluster)).toEqual({ srv127: true, srv129: false, srv159: true });
    await expectAgreement(cluster, "srv129");

    for (const name of names) await set(cluster, name, before);
    expect(restarted(await roll())).toEqual(["srv129", "srv127", "srv159"]);
    for (const name of names) expect(await value(cluster, name)).toBe(before);
    expect(await roles(cluster)).toEqual({ srv127: true, srv129: false, srv159: true });
    await expectAgreement(cluster, "srv129");

    const acknowledged = await writer.stop();
    const kept = await cluster.sql("srv129", "SELECT id::int AS id FROM ledger WHERE note = 'pooled'"); // prettier-ignore
    const ids = new Set(kept.map(({ id }) => id));
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  },
);

function restarted({ plan }: Ended): readonly (string | null)[] {
  return plan.steps.flatMap(({ kind, on }) => (kind === "restart-database" ? [on] : []));
}

async function value(cluster: TestCluster, node: string): Promise<number> {
  const [row] = await cluster.sql(node, "SELECT current_setting('max_connections')::int AS n");
  return Number(row?.["n"]);
}

/** As a person edits the file: where the last line says it. */
async function set(cluster: TestCluster, name: string, connections: number): Promise<void> {
  const { host, paths } = cluster.node(name);
  const text = await host.readFile(paths.configFile);
  await host.writeFile(paths.configFile, `${text}\nmax_connections = ${connections}\n`);
}

async function roles(cluster: TestCluster): Promise<Record<string, unknown>> {
  const seen = names.map(async (name) => {
    const [row] = await cluster.sql(name, "SELECT pg_is_in_recovery() AS standby");
    return [name, row?.["standby"]] as const;
  });
  return Object.fromEntries(await Promise.all(seen));
}

async function expectAgreement(cluster: TestCluster, primary: string): Promise<void> {
  const { pools } = cluster;
  if (pools === null) throw new Error("no pools");
  const { address } = cluster.node(primary);
  for (const { name } of pools.nodes) {
    const rows = await pools.show(name);
    expect(rows.map(({ status }) => status)).toEqual(["up", "up", "up"]);
    const leads = rows.filter(({ role }) => role === "primary").map(({ hostname }) => hostname);
    expect(leads).toEqual([address]);
  }
  const streaming = await cluster.sql(primary, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"); // prettier-ignore
  expect(streaming.length).toBe(2);
}
