import { parseDocument } from "yaml";
import { enforce } from "#test/e2e/support/guard.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { programClock, type ProgramClock } from "#test/harness/faults/clock.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** A primary with two standbys, two pools, a virtual address for the database, and guards that are in charge. */
export type Bed = AsyncDisposable & {
  readonly lab: Lab;
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  /** Of each agent: what it takes the time of day for. */
  readonly clocks: ReadonlyMap<string, ProgramClock>;
};

export const primary = "srv127";
export const standbys = ["srv129", "srv159"] as const;
export const nodes = [primary, ...standbys] as const;
const virtualAddress = "192.168.4.200/24";

export async function createBed(): Promise<Bed> {
  const lab = await createLab({
    hosts: [
      ...nodes.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  const cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
    synchronous: true,
    fsync: true,
  });
  const castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    virtualAddress,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  await castellan.cli(addArguments(cluster), { timeoutMs: 300_000 });
  await declareAddress({ cluster, castellan });
  const members = nodes.map((name) => cluster.node(name));
  const clocks = new Map<string, ProgramClock>();
  await enforce(castellan, members);
  for (const { name, host } of members) {
    const clock = await programClock(host, 0);
    clocks.set(name, clock);
    await castellan.killAgent(name);
    await castellan.startAgent(name, clock.env);
  }
  await castellan.connected(nodes);
  await waitFor(async () => (await holders({ cluster })).join() === primary, {
    timeoutMs: 60_000,
    what: `the guard to put ${virtualAddress} on ${primary}`,
  });
  return {
    lab,
    cluster,
    castellan,
    clocks,
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

/** Hosts that have the virtual address. */
export async function holders({ cluster }: Pick<Bed, "cluster">): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of nodes) {
    const { stdout } = await cluster.node(name).host.exec(["ip", "-4", "addr", "show"]);
    if (stdout.includes(`inet ${virtualAddress}`)) found.push(name);
  }
  return found;
}

export async function holdAddress({ cluster }: Bed, node: string): Promise<void> {
  await cluster.node(node).host.exec(["ip", "addr", "add", virtualAddress, "dev", "eth0"]);
}

/** As a person adds it to the declaration. */
async function declareAddress({ cluster, castellan }: Pick<Bed, "cluster" | "castellan">) {
  const { coordinatorHost, stateDirectory } = castellan;
  const file = `${stateDirectory}/clusters/${cluster.name}.yaml`;
  const yaml = parseDocument(await coordinatorHost.readFile(file));
  yaml.setIn(["cluster", "database", "virtualAddress"], virtualAddress);
  for (const index of nodes.keys()) yaml.setIn(["nodes", index, "nic"], "eth0");
  await coordinatorHost.writeFile(file, yaml.toString(), {
    owner: cluster.lane.osUser,
    mode: 0o600,
  });
}
