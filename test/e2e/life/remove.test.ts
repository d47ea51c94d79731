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

/** The host of the second removal is lost on one lane. */
const lanes: readonly (readonly [title: string, lane: LaneOptions, second: string])[] = [
  ["PostgreSQL 15, the second time with its host lost", { product: "postgresql" }, "--gone"],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }, "--keep-data"],
];

test.each(lanes)(
  "a node that was added is removed while clients write, and nothing of it is left on the others; twice: %s",
  async (_title, lane, second) => {
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
    const { host, paths } = cluster.node("srv159");
    const status = () => castellan.json<StatusAnswer>(["status"]);
    const declaration = `${castellan.stateDirectory}/clusters/${cluster.name}.yaml`;
    const all = async () => ({
      ...(await traces(cluster)),
      declaration: await lab.host("coord").readFile(declaration),
    });
    const before = await all();
    const writer = writeThroughPool(cluster);
    for (const option of ["--delete-data", second]) {
      await castellan.cli(addArguments(cluster));
      expect(JSON.stringify(await all())).toMatch(/backend_hostname2.*192\.168\.4\.159/);
      const isGone = option === "--gone";
      if (isGone) {
        await addHigherRow(cluster);
        await host.powerOff();
        await waitFor(async () => (await status()).clusters[0]?.nodes.some(({ agent }) => agent === "away"), { timeoutMs: 60_000, what: "the agent to be missed" }); // prettier-ignore
      }
      const removed = await castellan.json<OperationRecord>(["node", "remove", cluster.name, "srv159", option, "--yes"]); // prettier-ignore
      expect(removed).toMatchObject({ kind: "remove-node", state: "succeeded" });
      expect(await all()).toEqual(isGone ? { ...before, "srv127 files": spareRow, "srv129 files": spareRow } : before); // prettier-ignore
      for (const { name } of cluster.pools?.nodes ?? []) {
        const row = (await cluster.pools?.show(name))?.find(({ hostname }) => hostname === "192.168.4.159"); // prettier-ignore
        expect(row?.status).toBe("down");
      }
      if (isGone) break;
      expect(await cluster.isRunning("srv159")).toBe(false);
      expect(host.exists(paths.dataDir)).toBe(option === second);
      const seen = await status();
      expect(seen.unassigned.map(({ name }) => name)).toEqual(["srv159"]);
    }
    const acknowledged = await writer.stop();
    const kept = await cluster.sql("srv127", "SELECT id::int AS id FROM ledger WHERE note = 'pooled'"); // prettier-ignore
    const ids = new Set(kept.map(({ id }) => id));
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    await waitFor(
      async () =>
        (await castellan.json<DriftAnswer>(["drift", "list", cluster.name])).files.every(
          // The row that was added by hand is nobody's operation.
          ({ path }) => second === "--gone" && path.endsWith("/pgpool.conf"),
        ),
      { what: "every other file to be as accepted" },
    );
  },
);

const spareRow = expect.stringMatching(/^\S+:# castellan: backend 2 is a spare row, srv159 was removed(?:\n\S+:backend_\w+2 = .*)+$/); // prettier-ignore

/** By hand, in the files only: the node's own row can't go then. */
async function addHigherRow({ pools }: TestCluster): Promise<void> {
  for (const { host, pool } of pools?.nodes ?? []) {
    const text = await host.readFile(pool.configFile);
    await host.writeFile(pool.configFile, `${text}\nbackend_hostname3 = '192.168.4.77'\nbackend_port3 = 5432\n`); // prettier-ignore
  }
}

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
