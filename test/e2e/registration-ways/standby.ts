import type { TestCluster } from "#test/harness/cluster.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** The new node as a streaming standby, made by hand: what the ways of registration start from. */
export async function makeStandby(cluster: TestCluster): Promise<void> {
  const { newNode, lane, passwords } = cluster;
  const primary = cluster.nodes[0];
  if (newNode === null || primary === undefined) throw new Error("the cluster has no new node");
  const { host, paths, slot, name } = newNode;
  for (const { name: existing } of cluster.nodes) {
    await cluster.sql(existing, "SELECT 1");
  }
  await cluster.sql(primary.name, "SELECT pg_create_physical_replication_slot($1, true)", [slot]);
  const hba = `host all all ${newNode.address}/32 md5\nhost replication all ${newNode.address}/32 md5\n`;
  for (const { host: there, paths: at, name: existing } of cluster.nodes) {
    const before = await there.readFile(at.hbaFile);
    await there.writeFile(at.hbaFile, before + hba, { owner: lane.osUser, mode: 0o600 });
    await cluster.sql(existing, "SELECT pg_reload_conf()");
  }
  const passfile = "/var/lib/postgresql/.pgpass";
  const line = `*:*:*:${lane.replicationUser}:${passwords.replication}\n`;
  await host.writeFile(passfile, line, { owner: lane.osUser, mode: 0o600 });
  await host.makeDirectory(paths.root, { owner: lane.osUser });
  const source = ["-h", primary.address, "-p", String(primary.port), "-U", lane.replicationUser];
  await host.exec(
    [`${paths.binDir}/pg_basebackup`, ...source, "-w", "-D", paths.dataDir, "-X", "stream"].concat([
      "-S",
      slot,
      "-c",
      "fast",
      "-R",
    ]),
    { user: lane.osUser, env: { PGPASSFILE: passfile, PGAPPNAME: name } },
  );
  const auto = `${paths.dataDir}/postgresql.auto.conf`;
  const conninfo = `host=${primary.address} port=${primary.port} user=${lane.replicationUser} passfile=${passfile} application_name=${name}`;
  const settings = `primary_conninfo = '${conninfo}'\nprimary_slot_name = '${slot}'\n`;
  await host.writeFile(auto, settings, { owner: lane.osUser, mode: 0o600 });
  await cluster.start(name);
  await waitFor(
    async () =>
      (
        await cluster.sql(
          primary.name,
          "SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'",
          [name],
        )
      ).length === 1,
    { timeoutMs: 20_000, what: `${name} to stream` },
  );
}
