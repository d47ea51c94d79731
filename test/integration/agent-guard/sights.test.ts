import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { identityOf, lookAtPeer } from "#agent/guard/look-at-peer.ts";
import { lookAtPool } from "#agent/guard/look-at-pool.ts";
import { createSights, type Sights } from "#agent/guard/sights.ts";
import type { ObserverPorts } from "#agent/observe/observer.ts";
import type { ClusterView, PeerSight } from "#shared/domain/cluster-view.ts";
import { PeerSight as Schema, PoolSight } from "#shared/domain/cluster-view.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "../agent-observe/node-ports.ts";

const hosts = ownHosts("srv127", "srv129");

/** As a coordinator would tell it. */
function declared(cluster: TestCluster): ClusterView {
  const { superuser, replicationUser, database } = cluster.lane;
  return {
    cluster: cluster.name,
    at: 1,
    poolKind: "pgpool",
    database: { name: database, maintenanceUser: superuser, replicationUser },
    nodes: cluster.nodes.map(({ name, address, port, slot }, backendId) => ({
      name,
      address,
      port,
      slot,
      backendId,
      nic: null,
      pool: backendId === 0 && cluster.pools !== null ? { port: cluster.pools.port, pcpPort: 9898 } : null, // prettier-ignore
    })),
    virtualAddresses: { database: null, pool: null },
    trustAddresses: [],
  };
}

function nodeOf(view: ClusterView, name: string): ClusterView["nodes"][number] {
  const node = view.nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`${name} is not declared`);
  return node;
}

function portsOn(cluster: TestCluster, name: string, password = cluster.passwords.superuser) {
  const settings = clusterNodeSettings(cluster, name);
  return createNodePorts({
    settings: { ...settings, stateDirectory: `${settings.stateDirectory}-${password.length}` },
    databasePassword: password,
    replicationPassword: cluster.passwords.replication,
  });
}

async function look(ports: ObserverPorts, view: ClusterView, name: string): Promise<PeerSight> {
  return Schema.parse(await lookAtPeer(ports, view, nodeOf(view, name)));
}

for (const product of ["postgresql", "kingbase-v8r3"] as const) {
  test(`${product}: a look at another node tells its role, streams and identity, or how it can't be reached`, async () => {
    await using lab = await createLab({ hosts, mode: "loopback" });
    await using cluster = await createCluster(lab, {
      product,
      nodes: ["srv127", "srv129"],
      pool: true,
      synchronous: true,
    });
    const view = declared(cluster);
    const [first, second] = [nodeOf(view, "srv127"), nodeOf(view, "srv129")];
    await using node = await portsOn(cluster, "srv129");
    const { ports } = node;

    const primary = await look(ports, view, "srv127");
    expect(primary).toMatchObject({
      from: "own-look",
      database: "primary",
      timeline: 1,
      streaming: [{ applicationName: "srv129", state: "streaming", syncState: "sync" }],
      upstream: null,
      problem: null,
    });
    expect(primary.synchronousStandbyNames).toContain("srv129");
    const standby = await look(ports, view, "srv129");
    expect(standby).toMatchObject({ database: "standby", streaming: [], upstream: first.address });
    expect(standby.position).toMatch(/^0\//);
    // PostgreSQL tells its identity by SQL, the product only over a walsender.
    const identity = await identityOf(ports, view, first);
    expect(identity.systemIdentifier).toMatch(/^\d{15,}$/);
    expect(identity.timeline).toBe(1);
    expect(primary.systemIdentifier).toBe(product === "postgresql" ? identity.systemIdentifier : null); // prettier-ignore

    const pool = PoolSight.parse(await lookAtPool(ports, view, first, first.pool?.port ?? 0));
    expect(pool).toMatchObject({ node: "srv127", status: "answers", problem: null });
    expect(pool.rows.map(({ role }) => role)).toEqual(["primary", "standby"]);
    expect(await lookAtPool(ports, view, second, 1)).toMatchObject({ status: "refused", rows: [] });

    await using stranger = await portsOn(cluster, "srv129", "not the password");
    const shutOut = await look(stranger.ports, view, "srv127");
    expect(shutOut.database).toBe("login-failed");
    expect(JSON.stringify(shutOut)).not.toContain("not the password");
    expect((await lookAtPool(stranger.ports, view, first, first.pool?.port ?? 0)).status).toBe("login-failed"); // prettier-ignore

    const server = Number(readFileSync(pidFile(cluster), "utf8").split("\n", 1)[0]);
    process.kill(server, "SIGSTOP");
    try {
      expect((await look(ports, view, "srv127")).database).toBe("silent");
    } finally {
      process.kill(server, "SIGCONT");
    }
    await cluster.stop("srv127", "immediate");
    expect((await look(ports, view, "srv127")).database).toBe("refused");
  });
}

function pidFile(cluster: TestCluster): string {
  const { paths, host } = cluster.node("srv127");
  return host.path(paths.pidFile);
}

test("a peer that goes is seen at once where something is off already", async () => {
  await using lab = await createLab({ hosts, mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127", "srv129"] }); // prettier-ignore
  await using node = await portsOn(cluster, "srv129");
  const { ports } = node;
  let changes = 0;
  using sights = createSights(ports, () => (changes += 1));
  const seen = (of: Sights = sights) => of.peers().map((peer) => `${peer.node} ${peer.database}`);
  expect(seen()).toEqual([]);
  await ports.clusterView.take(cluster.name, declared(cluster));
  sights.attend(["srv127 not seen"]);
  await waitFor(() => seen().join() === "srv127 primary");
  expect(changes).toBe(1);

  const [own] = sights.peers();
  if (own === undefined) throw new Error("not seen");
  sights.told([{ ...own, from: "coordinator", timeline: 9, at: 0 }]);
  expect(sights.peers()).toMatchObject([{ from: "coordinator", timeline: 9 }]);

  const beforeStop = changes;
  await cluster.stop("srv127");
  sights.attend(["here follows nobody"]);
  await waitFor(() => seen().join() === "srv127 refused");
  expect(changes).toBeGreaterThan(beforeStop);
});
