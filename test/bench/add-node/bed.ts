import { execa } from "execa";
import type pg from "pg";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { Host } from "#test/harness/host.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** A cluster of two nodes, a host for the third, and Castellan on all of them. */
export type Bed = {
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  readonly primary: ClusterNode;
  readonly newNode: ClusterNode;
  /** A connection to the primary that is there before anything is measured. */
  readonly watcher: pg.Client;
  /** Everything as before the first round, by hand: hosts, servers, Castellan's own state. */
  reset(): Promise<void>;
};

export type BedOptions = { readonly sizeMb: number; readonly pool: boolean };

const nodes = ["srv127", "srv129"];
const newNodeName = "srv159";

export async function withBed<T>(
  { sizeMb, pool }: BedOptions,
  use: (bed: Bed) => Promise<T>,
): Promise<T> {
  await using lab = await createLab({
    hosts: [
      { name: "srv127", address: "192.168.4.127" },
      { name: "srv129", address: "192.168.4.129" },
      { name: newNodeName, address: "192.168.4.159" },
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    version: 15,
    nodes,
    newNode: newNodeName,
    sizeMb,
    pool,
    // A copy that nothing waits for the disk would flatter both sides.
    fsync: true,
    settings: { shared_buffers: "256MB", max_wal_size: "4GB" },
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  const watcher = await cluster.client("srv127");
  const bed: Bed = {
    cluster,
    castellan,
    watcher,
    primary: cluster.node("srv127"),
    newNode: cluster.node(newNodeName),
    reset: () => reset(bed),
  };
  try {
    if (!pool) await save(bed);
    return await use(bed);
  } finally {
    await watcher.end();
  }
}

/** What a round changes on each host; a running pool's rows can't be taken back, so beds with pools are made anew. */
function keptPaths({ cluster, castellan, newNode }: Bed): [Host, string[]][] {
  const agent = ["/var/lib/castellan-agent", "/etc/castellan"];
  return [
    [castellan.coordinatorHost, [castellan.stateDirectory]],
    [newNode.host, [...agent, "/var/lib/postgresql"]],
    ...cluster.nodes.map(({ host, paths }): [Host, string[]] => [host, [...agent, paths.hbaFile]]),
  ];
}

const saved = "/var/lib/saved-for-the-bench";

async function save(bed: Bed): Promise<void> {
  await stopCastellan(bed);
  for (const [host, paths] of keptPaths(bed)) {
    for (const path of paths) await host.exec(["sh", "-c", saveScript, "sh", saved + path, path]);
  }
  await startCastellan(bed);
}
const saveScript = 'mkdir -p "${1%/*}" && cp -aT "$2" "$1"';
const restoreScript = 'rm -rf "$2" && cp -aT "$1" "$2"';

async function reset(bed: Bed): Promise<void> {
  const { cluster, newNode } = bed;
  await stopCastellan(bed);
  if (newNode.host.exists(newNode.paths.dataDir) && (await cluster.isRunning(newNode.name))) {
    await cluster.stop(newNode.name, "immediate");
  }
  for (const [host, paths] of keptPaths(bed)) {
    for (const path of paths) {
      await host.exec(["sh", "-c", restoreScript, "sh", saved + path, path]);
    }
  }
  for (const { name } of cluster.nodes) {
    await cluster.sql(name, "SELECT pg_reload_conf()");
    await waitFor(async () => await dropSlot(bed, name), { what: `the slot on ${name} to go` });
  }
  await startCastellan(bed);
}

async function dropSlot({ cluster, newNode }: Bed, node: string): Promise<boolean> {
  const where = "FROM pg_replication_slots WHERE slot_name = $1";
  await cluster.sql(
    node,
    `SELECT CASE WHEN active THEN pg_terminate_backend(active_pid)::text ELSE pg_drop_replication_slot(slot_name)::text END ${where}`,
    [newNode.slot],
  );
  return (await cluster.sql(node, `SELECT 1 ${where}`, [newNode.slot])).length === 0;
}

async function stopCastellan({ castellan }: Bed): Promise<void> {
  await castellan.killCoordinator();
  for (const node of [...nodes, newNodeName]) await castellan.killAgent(node);
}

async function startCastellan({ castellan }: Bed): Promise<void> {
  await castellan.startCoordinator();
  for (const node of [...nodes, newNodeName]) await castellan.startAgent(node);
  await castellan.connected([...nodes, newNodeName]);
}

/** Both sides begin alike: nothing of an earlier round waits to be written. */
export async function settle({ watcher }: Bed): Promise<void> {
  await watcher.query("CHECKPOINT");
  await execa("sync");
}
