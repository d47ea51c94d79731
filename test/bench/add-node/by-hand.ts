import { writeStandbyFiles } from "#test/harness/server-files.ts";
import { clientBin } from "#test/harness/postgres.ts";
import type { Bed } from "./bed.ts";
import { streamingAt } from "./streaming.ts";

/**
 * The floor: a person who has everything prepared (hba lines, password file) and loses no moment between the commands:
 * slot, pg_basebackup through it, standby settings, start. Seconds until the primary shows the node streaming.
 */
export async function addByHand(bed: Bed): Promise<number> {
  await prepareByHand(bed);
  const { cluster, primary, newNode, watcher } = bed;
  const { lane, passwords, port } = cluster;
  const { host, paths } = newNode;
  const stop = new AbortController();
  const startedAt = performance.now();
  const streaming = streamingAt(bed, stop.signal);
  // The work may fail first; the watch is ended below.
  streaming.catch(() => undefined);
  try {
    await watcher.query("SELECT pg_create_physical_replication_slot($1, true)", [newNode.slot]);
    await host.exec(backupCommand(bed), {
      user: lane.osUser,
      env: { PGPASSFILE: passwordFile },
      timeoutMs: 600_000,
    });
    await writeStandbyFiles(host, lane, paths, {
      name: newNode.name,
      address: primary.address,
      port,
      user: lane.replicationUser,
      password: passwords.replication,
      slot: newNode.slot,
      passfile: passwordFile,
    });
    await cluster.start(newNode.name);
    const limit = setTimeout(() => stop.abort(new Error("not streaming after 60 s")), 60_000);
    const at = await streaming;
    clearTimeout(limit);
    return (at - startedAt) / 1000;
  } finally {
    stop.abort();
  }
}

const passwordFile = "/var/lib/postgresql/.pgpass";

function backupCommand({ cluster, primary, newNode }: Bed): string[] {
  const from = `-h ${primary.address} -p ${cluster.port} -U ${cluster.lane.replicationUser} -w`;
  const how = `-D ${newNode.paths.dataDir} -c fast -X stream -S ${newNode.slot}`;
  return `${clientBin}/pg_basebackup ${from} ${how}`.split(" ");
}

/** Not measured: Castellan opens the hba files itself, within its own time. */
async function prepareByHand({ cluster, newNode }: Bed): Promise<void> {
  const { lane, passwords, port } = cluster;
  const own = { owner: lane.osUser, mode: 0o600 };
  for (const { name, host, paths } of cluster.nodes) {
    const before = await host.readFile(paths.hbaFile);
    const line = `host replication ${lane.replicationUser} ${newNode.address}/32 md5\n`;
    await host.writeFile(paths.hbaFile, before + line, own);
    await cluster.sql(name, "SELECT pg_reload_conf()");
  }
  const login = `*:${port}:*:${lane.replicationUser}:${passwords.replication}\n`;
  await newNode.host.writeFile(passwordFile, login, own);
}
