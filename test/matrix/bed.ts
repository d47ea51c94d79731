import { rm } from "node:fs/promises";
import { execa } from "execa";
import { createApiClient, type ApiClient } from "#coordinator/cli/client.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { Host, HostProcess } from "#test/harness/host.ts";
import { databaseVip } from "#test/harness/kingbase/node-files.ts";
import type { Lab } from "#test/harness/lab.ts";
import { poolsReady } from "#test/harness/pool.ts";
import { differences, takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { Course } from "./course.ts";
import { coordinatorName, type Product } from "./strike.ts";

/** The case study's two management nodes, the host that is to be added, and one for the coordinator. */
export const matrixHosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "srv159", address: "192.168.4.159" },
  { name: "coord", address: "192.168.4.10" },
] as const;

/** For the points that are reached: on every host, and empty where nothing is recorded. */
export const pointFolder = "/var/log/points";

/** A cluster with Castellan on it, and a copy of every disk to begin again from. */
export type Bed = {
  readonly lab: Lab;
  readonly product: Product;
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  readonly api: ApiClient;
  readonly newNode: ClusterNode;
  /** Hosts with an agent. */
  readonly agents: readonly string[];
  /** As it was after the installation. */
  readonly baseline: Snapshot;
  /**
   * As after the installation, with these environments for those that are named: every disk copied anew and everything
   * started, or only those started anew where nothing is left of the run before. To be followed by `leave`.
   */
  begin(environments: Environments): Promise<void>;
  /** The newest operation in the journal when this run began; null where it has none. */
  former(): string | null;
  /** Says whether anything at all is left of the run that is over. */
  leave(isPristine: boolean): void;
  process(name: string): HostProcess;
  /** An agent by its node, or the coordinator; not waited for. */
  launch(process: string, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Kills what runs of these and starts them with their environments; answers when all are heard of. */
  restart(environments: Environments): Promise<void>;
  /** The coordinator has these agents' facts. */
  connected(nodes?: readonly string[]): Promise<void>;
  /** Power for a host that was off; nothing is started on it. */
  boot(host: string): Promise<void>;
};

/** By process; the coordinator's name is `coordinatorName`. */
export type Environments = Readonly<Record<string, Readonly<Record<string, string>>>>;

export async function createBed(
  lab: Lab,
  product: Product,
  course: Pick<Course, "hasPools" | "isSynchronous" | "cronActive">,
): Promise<Bed> {
  const cluster = await createCluster(lab, {
    product,
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: course.hasPools,
    cronActive: course.cronActive ?? false,
    // A busy machine is no dead database: what the pools think of one is not what is looked at here.
    poolSettings: { health_check_timeout: "30", health_check_max_retries: "10" },
    synchronous: course.isSynchronous ?? product === "postgresql",
  });
  const castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    crashPoints: true,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  const newNode = cluster.node("srv159");
  const nodes = [...cluster.nodes, newNode];
  const agents = nodes.map(({ name }) => name);
  for (const host of lab.hosts)
    await host.makeDirectory(pointFolder, { owner: cluster.lane.osUser });
  await stopAll(cluster, castellan, agents);
  await Promise.all(lab.hosts.map((host) => host.powerOff()));
  for (const { host, pool } of cluster.pools?.nodes ?? []) {
    // It is read for what this start says, not the one before.
    await rm(host.path(pool.logFile));
  }
  await Promise.all(lab.hosts.map((host) => copy(disk(lab, host), template(lab, host))));

  const { coordinatorHost, stateDirectory } = castellan;
  const api = createApiClient(coordinatorHost.path(`${stateDirectory}/api.sock`));
  const connected = (wanted = agents): Promise<void> => castellan.connected(wanted);
  const process = (name: string): HostProcess =>
    name === coordinatorName ? castellan.coordinator() : castellan.agent(name);
  const launch: Bed["launch"] = (name, env) =>
    name === coordinatorName ? castellan.startCoordinator(env) : castellan.startAgent(name, env);
  const boot = async (name: string): Promise<void> => {
    const host = lab.host(name);
    await host.boot();
    const node = nodes.find((candidate) => candidate.name === name);
    // As systemd-tmpfiles makes it at every boot.
    if (node !== undefined && !host.exists(node.paths.socketDir))
      await host.makeDirectory(node.paths.socketDir, { owner: cluster.lane.osUser });
  };
  const restore = async (environments: Environments): Promise<void> => {
    await Promise.all(
      lab.hosts.map(async (host) => {
        if (host.isUp()) await host.powerOff();
        await copy(template(lab, host), disk(lab, host));
        await boot(host.name);
      }),
    );
    await Promise.all([
      startDatabases(cluster),
      launch(coordinatorName, environments[coordinatorName]).then(() =>
        Promise.all(agents.map((name) => launch(name, environments[name]))),
      ),
    ]);
    if (course.cronActive === true) await addVirtualAddress(lab, cluster);
    await connected();
    await waitFor(() => allStream(cluster), { timeoutMs: 60_000, what: "the standbys to stream" });
  };
  const restart = async (environments: Environments): Promise<void> => {
    const names = Object.keys(environments);
    await Promise.all(names.map((name) => killed(process(name))));
    await Promise.all(names.map((name) => launch(name, environments[name])));
    await connected();
  };
  let isAsInstalled = true;
  let former: string | null = null;
  await restore({});
  return {
    lab,
    product,
    cluster,
    castellan,
    api,
    newNode,
    agents,
    baseline: await settledSnapshot(cluster, castellan),
    begin: async (environments) => {
      const isFresh = isAsInstalled;
      isAsInstalled = false;
      former = isFresh
        ? ((await api.get<readonly { id: string }[]>("/operations"))[0]?.id ?? null)
        : null;
      await (isFresh ? restart(environments) : restore(environments));
    },
    former: () => former,
    leave: (isPristine) => {
      isAsInstalled = isPristine;
    },
    restart,
    process,
    launch,
    connected,
    boot,
  };
}

/** Pools go on settling for some seconds after they take clients: the one without the address comes to its heartbeats. */
async function settledSnapshot(cluster: TestCluster, castellan: Castellan): Promise<Snapshot> {
  let last = await takeSnapshot(cluster, castellan);
  let sinceMs = performance.now();
  return waitFor(
    async () => {
      const now = await takeSnapshot(cluster, castellan);
      if (differences(last, now).length > 0) sinceMs = performance.now();
      last = now;
      return performance.now() - sinceMs > 5_000 ? now : null;
    },
    { timeoutMs: 60_000, what: "the cluster to settle" },
  );
}

export async function killed(process: HostProcess): Promise<void> {
  process.kill("SIGKILL");
  await process.exited;
}

/** The watchdogs' waiting is used to start the servers. */
async function startDatabases(cluster: TestCluster): Promise<void> {
  const { nodes, pools } = cluster;
  await Promise.all([
    ...nodes.map(({ name }) => cluster.start(name)),
    ...(pools?.nodes ?? []).map(({ name }) => pools?.start(name)),
  ]);
  if (pools !== null) await poolsReady(pools);
}

async function allStream(cluster: TestCluster): Promise<boolean> {
  const [primary, ...standbys] = cluster.nodes;
  if (primary === undefined) return true;
  const streams = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'";
  return (await cluster.sql(primary.name, streams)).length >= standbys.length;
}

/** As the vendor's check of the primary leaves it; a guard in charge would add it. */
async function addVirtualAddress(lab: Lab, { lane, nodes }: TestCluster): Promise<void> {
  const [primary] = nodes;
  if (lane.product !== "kingbase-v8r3" || primary === undefined) return;
  await primary.host.exec(["ip", "addr", "replace", databaseVip({ lab }), "dev", "eth0"]);
}

async function stopAll(
  cluster: TestCluster,
  castellan: Castellan,
  agents: readonly string[],
): Promise<void> {
  const { nodes, pools } = cluster;
  for (const process of [castellan.coordinator(), ...agents.map((name) => castellan.agent(name))]) {
    process.kill("SIGTERM");
    await process.exited;
  }
  for (const { name } of pools?.nodes ?? []) await pools?.stop(name);
  // The primary last: its standbys have everything then.
  for (const { name } of nodes.toReversed()) await cluster.stop(name);
}

function disk(lab: Lab, host: Host): string {
  return `${lab.folder}/${host.name}`;
}

function template(lab: Lab, host: Host): string {
  return `${lab.folder}/template/${host.name}`;
}

async function copy(from: string, to: string): Promise<void> {
  await execa("rm", ["-rf", to]);
  await execa("mkdir", ["-p", to]);
  await execa("cp", ["-aT", "--reflink=auto", from, to]);
}
