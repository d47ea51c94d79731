import { setTimeout as sleep } from "node:timers/promises";
import type { TestCluster } from "#test/harness/cluster.ts";
import { writeStandbyFiles } from "#test/harness/server-files.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { strike } from "./bed.ts";

export type Failover = { readonly from: string; readonly to: string; readonly other: string };

/** The primary dies, `to` is promoted: milliseconds from that command's start until `other` streams from it. */
export async function failOver(
  cluster: TestCluster,
  { from, to, other }: Failover,
  limits: { readonly timeoutMs: number; readonly intervalMs: number },
): Promise<number> {
  const { host, paths } = cluster.node(to);
  const client = await cluster.client(to);
  try {
    await cluster.stop(from, "immediate");
    // As long as whoever promotes may take to notice it.
    await sleep(500 + Math.random() * 2_000);
    const promoted = strike(
      host,
      '"$1" -D "$2" promote >/dev/null',
      [paths.control, paths.dataDir],
      cluster.lane.osUser,
    );
    const streaming = waitFor(() => isStreaming(client, other), {
      ...limits,
      what: `${other} to stream from ${to}`,
    }).then(() => Date.now());
    const [began, ended] = await Promise.all([promoted, streaming]);
    return ended - began;
  } finally {
    await client.end();
  }
}

/** The primary that died becomes a standby of the new one by a copy of it; nothing of this is measured. */
export async function bringBack(
  cluster: TestCluster,
  { from, to, other }: Failover,
): Promise<void> {
  const { lane, passwords } = cluster;
  const { host, paths, slot, name } = cluster.node(from);
  const upstream = cluster.node(to);
  const user = lane.osUser;
  await host.exec(["rm", "-rf", paths.dataDir], { user });
  await ensureSlots(cluster, to);
  const program =
    lane.product === "kingbase-v8r3" ? `${paths.binDir}/sys_basebackup` : "pg_basebackup";
  await host.exec(
    [
      ...[program, "-D", paths.dataDir, "-c", "fast", "-X", "fetch", "-w"],
      ...["-h", upstream.address, "-p", String(upstream.port), "-U", lane.replicationUser],
    ],
    { user, env: { PGPASSWORD: passwords.replication } },
  );
  await writeStandbyFiles(host, lane, paths, {
    name,
    address: upstream.address,
    port: upstream.port,
    user: lane.replicationUser,
    password: passwords.replication,
    slot,
    passfile: `${host.root}/var/lib/postgresql/.pgpass`,
  });
  await cluster.start(from);
  await ensureSlots(cluster, from);
  const client = await cluster.client(to);
  try {
    for (const node of [from, other]) {
      await waitFor(() => isStreaming(client, node), {
        timeoutMs: 60_000,
        what: `${node} to stream from ${to} again`,
      });
    }
  } finally {
    await client.end();
  }
}

async function ensureSlots(cluster: TestCluster, on: string): Promise<void> {
  for (const { name, slot } of cluster.nodes) {
    if (name === on) continue;
    await cluster.sql(
      on,
      "SELECT pg_create_physical_replication_slot($1::name) WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1::name)",
      [slot],
    );
  }
}

async function isStreaming(
  client: Awaited<ReturnType<TestCluster["client"]>>,
  node: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    "SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'",
    [node],
  );
  return (rowCount ?? 0) > 0;
}
