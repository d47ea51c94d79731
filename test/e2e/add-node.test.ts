import { expect, test } from "vitest";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "srv159", address: "192.168.4.159" },
  { name: "coord", address: "192.168.4.10" },
];

const lanes = [
  { title: "PostgreSQL 15", product: "postgresql", version: 15, layout: "plain" },
  {
    title: "PostgreSQL 15 in Debian's layout",
    product: "postgresql",
    version: 15,
    layout: "debian",
  },
  {
    title: "PostgreSQL 10, the last with recovery.conf in our range",
    product: "postgresql",
    version: 10,
    layout: "plain",
  },
  {
    title: "KingbaseES V8R3 (emulated on PostgreSQL 10)",
    product: "kingbase-v8r3",
    version: 10,
    layout: "plain",
  },
] as const;

for (const { title, ...lane } of lanes) {
  test(`a node added to ${title} streams through its own slot, holds every row and is declared`, async () => {
    const lab = await testLab({ hosts });
    await using cluster = await createCluster(lab, {
      ...lane,
      nodes: ["srv127", "srv129"],
      newNode: "srv159",
    });
    await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
    await castellan.cli(["cluster", "import", "ESHA"]);

    const added = await castellan.cli(
      ["node", "add", "ESHA", "srv159", "--address", "192.168.4.159", "--yes"],
      { reject: false },
    );
    expect(added.stdout + added.stderr).toContain("is a node of ESHA");
    expect(added.exitCode).toBe(0);

    expect(await slots(cluster, "srv127")).toEqual([
      { name: "slot_srv129", active: true },
      { name: "slot_srv159", active: true },
    ]);
    expect(await slots(cluster, "srv129")).toContainEqual({ name: "slot_srv159", active: false });
    expect(await slots(cluster, "srv159")).toEqual([
      { name: "slot_srv127", active: false },
      { name: "slot_srv129", active: false },
    ]);
    expect(await rows(cluster, "srv159")).toEqual(await rows(cluster, "srv127"));
    const { declaration } = await castellan.json<{ declaration: { nodes: { name: string }[] } }>([
      "cluster",
      "show",
      "ESHA",
    ]);
    expect(declaration.nodes.map(({ name }) => name)).toEqual(["srv127", "srv129", "srv159"]);
  });
}

async function slots(cluster: TestCluster, node: string): Promise<unknown> {
  return cluster.sql(
    node,
    "SELECT slot_name::text AS name, active FROM pg_replication_slots ORDER BY 1",
  );
}

async function rows(cluster: TestCluster, node: string): Promise<unknown> {
  return cluster.sql(node, "SELECT count(*)::int AS n, max(id)::int AS last FROM ledger");
}
