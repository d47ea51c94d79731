import type { ClusterNode } from "#test/harness/cluster-model.ts";
import type { Host } from "#test/harness/host.ts";
import type { HostName, PoolHost } from "./faults.ts";
import type { Stage } from "./stage.ts";

/** What the site's own units do when a host boots: everything that is enabled is started. */
export async function startUnits(stage: Stage, name: HostName): Promise<void> {
  const { cluster, programs } = stage;
  if (name === "coord") return programs.start("coordinator");
  const node = cluster.node(name);
  if (name === "srv159") await stage.disk?.mountAgain();
  // Whatever lies in the data directory by now: the unit does not ask how it came there.
  if (node.host.exists(`${node.paths.dataDir}/global`)) await startDatabase(stage, node);
  if (isPoolHost(name)) await startPool(stage, name);
  await programs.start(name);
}

/** A unit's start may fail: then the database stays down, and that is said by nobody. */
export async function startDatabase(stage: Stage, { name }: ClusterNode): Promise<void> {
  if (!(await stage.cluster.isRunning(name))) {
    await stage.cluster.start(name).catch(() => undefined);
  }
}

/** The postmaster alone: its children notice and end, as after an out-of-memory kill. */
export async function killDatabase({ host, paths }: ClusterNode): Promise<boolean> {
  const [pid] = host.exists(paths.pidFile) ? (await host.readFile(paths.pidFile)).split("\n") : [];
  if (pid === undefined) return false;
  const { exitCode } = await host.exec(["kill", "-9", pid], { reject: false });
  return exitCode === 0;
}

export async function killPool({ cluster }: Stage, name: PoolHost): Promise<boolean> {
  const node = cluster.pools?.nodes.find((candidate) => candidate.name === name);
  if (node === undefined || !node.host.exists(node.pool.pidFile)) return false;
  const { host, pool } = node;
  const pid = poolPid(await host.readFile(pool.pidFile));
  const { stdout } = await host.exec(["ps", "-o", "pid=", "--ppid", pid], { reject: false });
  const pids = [pid, ...stdout.split(/\s+/).filter((word) => word !== "")];
  const { exitCode } = await host.exec(["kill", "-9", ...pids], { reject: false });
  return exitCode === 0;
}

/** As a unit would: what a killed pool left is cleared away before it is started. */
export async function startPool({ cluster }: Stage, name: PoolHost): Promise<void> {
  const { pools } = cluster;
  const node = pools?.nodes.find((candidate) => candidate.name === name);
  if (pools === null || node === undefined) return;
  const { host, pool } = node;
  if (await isPoolRunning(host, pool.pidFile)) return;
  const sockets = `rm -f "$1"/.s.PGSQL.${pools.port} "$1"/.s.PGSQL.${pools.pcpPort} "$1"/.s.PGPOOLWD_CMD.* "$2"`;
  await host.exec(["sh", "-c", sockets, "sh", pool.socketDir, pool.pidFile]);
  if (pools.vip !== null) {
    const drop = ["ip", "addr", "del", `${pools.vip}/24`, "dev", "eth0"];
    await host.exec(drop, { reject: false });
  }
  await pools.start(name);
}

const isPoolHost = (name: HostName): name is PoolHost => name === "srv127" || name === "srv129";

async function isPoolRunning(host: Host, pidFile: string): Promise<boolean> {
  if (!host.exists(pidFile)) return false;
  const pid = poolPid(await host.readFile(pidFile));
  return (await host.exec(["kill", "-0", pid], { reject: false })).exitCode === 0;
}

/** pgpool ends the number with a zero byte. */
function poolPid(text: string): string {
  return /\d+/.exec(text)?.[0] ?? "none";
}
