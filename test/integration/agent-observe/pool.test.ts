import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { PoolFacts } from "#shared/domain/facts.ts";
import { createPoolObserver } from "#agent/observe/pool.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { openClient } from "#test/harness/sql-client.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "./node-ports.ts";

const hosts = ownHosts("srv127", "srv129");

for (const product of ["postgresql", "kingbase-v8r3"] as const) {
  test(`${product}: the pool's rows, sessions and settings are seen without being its client`, async () => {
    await using lab = await createLab({ hosts, mode: "loopback" });
    await using cluster = await createCluster(lab, {
      product,
      nodes: ["srv127", "srv129"],
      pool: true,
    });
    const node = cluster.pools?.nodes[0];
    if (node === undefined || cluster.pools === null) throw new Error("no pool");
    const settings = clusterNodeSettings(cluster, "srv127", { pool: node });
    await using withPcp = await createNodePorts({
      settings,
      databasePassword: cluster.passwords.superuser,
      pcpPassword: cluster.passwords.pcp,
    });
    const observer = createPoolObserver(withPcp.ports);
    const seen = PoolFacts.parse(await observer.observe({ fresh: true }));
    expect(seen).toMatchObject({ status: "running", problem: null, isLeader: null });
    if (product === "postgresql") expect(seen.version).toContain("4.3");
    expect(seen.rows).toMatchObject([
      { id: 0, hostname: cluster.node("srv127").address, role: "primary", port: cluster.port },
      { id: 1, hostname: cluster.node("srv129").address, role: "standby", port: cluster.port },
    ]);
    expect(seen.rows.every((row) => ["up", "waiting"].includes(row.status))).toBe(true);
    expect(seen.settings).toMatchObject({
      backend_hostname1: cluster.node("srv129").address,
      port: "9999",
    });
    expect(JSON.stringify(seen)).not.toContain(cluster.passwords.pcp);
    expect(readdirSync(`${settings.stateDirectory}/password-files`)).toEqual([]);

    const client = await openClient(lab, cluster.pools.login("app", node.address));
    const busy = await observer.observe({ fresh: true });
    expect(busy?.clientSessions).toBeGreaterThanOrEqual(1);
    await client.end();

    // A lineage without the programs' newer options, or no pcp secret: one short session asks instead.
    await using withoutPcp = await createNodePorts({
      settings: { ...settings, stateDirectory: `${settings.stateDirectory}-2` },
      databasePassword: cluster.passwords.superuser,
    });
    const asked = await createPoolObserver(withoutPcp.ports).observe({ fresh: true });
    expect(asked?.rows.map(({ id, hostname, role }) => ({ id, hostname, role }))).toEqual(
      seen.rows.map(({ id, hostname, role }) => ({ id, hostname, role })),
    );

    await cluster.pools.stop("srv127");
    const stopped = await waitFor(async () => {
      const facts = await observer.observe({ fresh: false });
      return facts?.status === "stopped" ? facts : null;
    });
    expect(stopped).toMatchObject({ pid: null, rows: [], clientSessions: 0 });
  });
}
