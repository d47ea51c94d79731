import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { changedFile, type ChangedFile } from "./changed-file.ts";
import { startReceiver, type Receiver } from "./receiver.ts";

export type DriftBed = {
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  readonly receiver: Receiver;
  /** The same files of every node, node after node. */
  readonly files: readonly ChangedFile[];
};

export const nodes = ["srv127", "srv129", "srv159"];
export const driftHosts = [
  ...nodes.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
  { name: "coord", address: "192.168.4.10" },
];
const readyWithinMs = 60_000;

/** Three nodes with a server and a pool each, and a coordinator whose only sink is the receiver. */
export async function withDriftBed<T>(work: (bed: DriftBed) => Promise<T>): Promise<T> {
  await using lab = await createLab({ hosts: driftHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    version: 15,
    nodes,
    pool: true,
  });
  await using receiver = await startReceiver(lab.host("coord"));
  await using castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    settings: `sinks:\n  - { name: bench, kind: webhook, url: "${receiver.url}" }\n`,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  const files = filesOf(cluster);
  await waitFor(() => areAccepted(castellan, files), {
    timeoutMs: readyWithinMs,
    what: "the first sight of every file",
  });
  // From the first one that is told on, the agent knows what is accepted.
  for (const file of files) {
    file.change("rename-over");
    if ((await receiver.first(0, file.told(), readyWithinMs)) === null) {
      throw new Error(`a change of ${file.path} on ${file.node} was never told`);
    }
  }
  return await work({ cluster, castellan, receiver, files });
}

async function areAccepted(castellan: Castellan, files: readonly ChangedFile[]): Promise<boolean> {
  for (const { node, path } of files) {
    const { exitCode } = await castellan.cli(["file", "history", node, path], { reject: false });
    if (exitCode !== 0) return false;
  }
  return true;
}

function filesOf({ nodes: all, pools }: TestCluster): readonly ChangedFile[] {
  return all.flatMap((node) => {
    const { paths, name } = node;
    const pool = pools?.nodes.find((one) => one.name === name)?.pool;
    if (pool === undefined) throw new Error(`no pool on ${name}`);
    return [
      paths.configFile,
      `${paths.dataDir}/postgresql.auto.conf`,
      paths.hbaFile,
      paths.identFile,
      pool.configFile,
      pool.hbaFile,
    ].map((path) => changedFile(node, path));
  });
}
