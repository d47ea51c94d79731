import { expect, test } from "vitest";
import type { StatusAnswer } from "#coordinator/api/contract.ts";
import type { DriftAnswer } from "#coordinator/api/drift-contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { labHosts } from "#test/e2e/support/hosts.ts";
import { writeThroughPool } from "#test/e2e/support/pool-writer.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

test.each(lanes)(
  "a node that was added is removed while clients write, and nothing of it is left on the others; twice: %s",
  async (_title, lane) => {
    const lab = await testLab({ hosts: labHosts });
    await using cluster = await createCluster(lab, {
      ...lane,
      nodes: ["srv127", "srv129"],
      newNode: "srv159",
      pool: true,
      synchronous: true,
      poolSettings: { failover_command: "''" },
    });
    await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
    await castellan.cli(["cluster", "import", cluster.name]);
    await enforce(castellan, cluster.nodes);
    const status = () => castellan.json<StatusAnswer>(["status"]);
    const declaration = `${castellan.stateDirectory}/clusters/${cluster.name}.yaml`;
    const all = async () => ({
      ...(await traces(cluster)),
      declaration: await lab.host("coord").readFile(declaration),
    });
    const before = await all();
    const writer = writeThroughPool(cluster);
    for (const data of ["--delete-data", "--keep-data"]) {
      await castellan.cli(addArguments(cluster));
      expect(JSON.stringify(await all())).toMatch(/backend_hostname2.*192\.168\.4\.159/);
      const removed = await castellan.json<OperationRecord>(["node", "remove", cluster.name, "srv159", data, "--yes"]); // prettier-ignore
      expect(removed).toMatchObject({ kind: "remove-node", state: "succeeded" });
      expect(await all()).toEqual(before);
      expect(await cluster.isRunning("srv159")).toBe(false);
      expect(cluster.newNode?.host.exists(cluster.newNode.paths.dataDir)).toBe(data === "--keep-data"); // prettier-ignore
      const seen = await status();
      expect(seen.unassigned.map(({ name }) => name)).toEqual(["srv159"]);
      for (const { name } of cluster.pools?.nodes ?? []) {
        const row = (await cluster.pools?.show(name))?.find(({ hostname }) => hostname === "192.168.4.159"); // prettier-ignore
        expect(row?.status).toBe("down");
      }
    }
    const acknowledged = await writer.stop();
    const kept = await cluster.sql("srv127", "SELECT id::int AS id FROM ledger WHERE note = 'pooled'"); // prettier-ignore
    const ids = new Set(kept.map(({ id }) => id));
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    await waitFor(
      async () =>
        (await castellan.json<DriftAnswer>(["drift", "list", cluster.name])).files.length === 0,
      { what: "every file to be as accepted" },
    );
  },
);

/** What may name the node on the others. */
async function traces(cluster: TestCluster): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const { name, host, paths } of cluster.nodes) {
    const files = await host.exec(["sh", "-c", `grep -rnsE 'srv159|192\\.168\\.4\\.159' ${paths.dataDir} /etc/pgpool2 /home/kingbase/cluster --include=*.conf || true`]); // prettier-ignore
    found[`${name} files`] = files.stdout;
    found[`${name} hba`] = await host.readFile(paths.hbaFile);
    found[`${name} slots`] = await cluster.sql(name, "SELECT slot_name::text AS name FROM pg_replication_slots ORDER BY 1"); // prettier-ignore
    found[`${name} synchronous`] = await cluster.sql(name, "SHOW synchronous_standby_names");
  }
  return found;
}
