import type { ProductId } from "#shared/domain/cluster.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { mountDisk, type TestDisk } from "#test/harness/faults/disk.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { programsOf, type Programs } from "./programs.ts";

/** The cluster that a walk is about, with Castellan on it, before anything is asked for. */
export type Stage = {
  readonly lab: Lab;
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  readonly programs: Programs;
  /** The filesystem that the new node's data will lie on, on walks that fill it. */
  readonly disk: TestDisk | null;
};

export const coordinatorPort = 7300;

const walkHosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "srv159", address: "192.168.4.159" },
  { name: "coord", address: "192.168.4.10" },
  { name: "client", address: "192.168.4.20" },
] as const;

export async function buildStage(lab: Lab, product: ProductId): Promise<Stage> {
  const cluster = await createCluster(lab, {
    product,
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
    sizeMb: 20,
    poolSettings: { num_init_children: "24" },
    passwordPhrase: "random walk",
  });
  const castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    port: coordinatorPort,
    crashPoints: true,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  return { lab, cluster, castellan, programs: programsOf(castellan), disk: null };
}

/** A small disk of its own under the new node's folder, which a fault can fill. */
export async function withDisk(stage: Stage): Promise<Stage> {
  const { cluster } = stage;
  const { host, paths } = cluster.node("srv159");
  const owner = cluster.lane.osUser;
  if (!host.exists(paths.root)) await host.makeDirectory(paths.root, { owner });
  return { ...stage, disk: await mountDisk(host, paths.root, { sizeMb: 600, owner }) };
}

export function createWalkLab(): Promise<Lab> {
  return createLab({ hosts: walkHosts });
}
