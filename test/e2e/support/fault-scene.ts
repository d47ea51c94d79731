import { expect } from "vitest";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterOptions } from "#test/harness/cluster-model.ts";
import { isStopped } from "#test/harness/faults/process.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { settledDifferences, takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./hosts.ts";
import { newestOperation, type Operation } from "./operations.ts";

/** A cluster in which one thing after the other goes wrong in the middle of an operation. */
export type FaultScene = AsyncDisposable & {
  readonly lab: Lab;
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  /** How it was before the first fault. */
  readonly before: Snapshot;
};

/** A step is tried twice, a moment apart, and stalls after seconds: what the operator reads then is what matters here. */
const quickSettings = {
  limits: { attempts: 2, retryFirstMs: 100, retryMostMs: 200 },
  addNode: { stallMs: 5_000 },
};

export async function createFaultScene(
  options: Partial<ClusterOptions> & Pick<ClusterOptions, "product">,
): Promise<FaultScene> {
  const lab = await createLab({ hosts: labHosts });
  const cluster = await createCluster(lab, {
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    ...options,
  });
  const castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    crashPoints: true,
  });
  const { coordinatorHost, stateDirectory } = castellan;
  const file = `${stateDirectory}/settings.yaml`;
  const settings = Object.entries(quickSettings).map(([k, v]) => `${k}: ${JSON.stringify(v)}\n`);
  await coordinatorHost.writeFile(
    file,
    `${await coordinatorHost.readFile(file)}${settings.join("")}`,
    { mode: 0o600, owner: cluster.lane.osUser },
  );
  await castellan.killCoordinator();
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  await castellan.cli(["cluster", "import", "ESHA"]);
  return {
    lab,
    cluster,
    castellan,
    before: await takeSnapshot(cluster, castellan),
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
      lab.assertNoLeftovers();
    },
  };
}

export type Instant = {
  /** The node whose agent is stopped there; null for the coordinator. */
  readonly of: string | null;
  /** A name of shared/crash-point.ts. */
  readonly point: string;
};

/** How a command ended, all that it said, and the operation that it was about. */
export type Ended = {
  readonly exitCode: number | null;
  readonly said: string;
  readonly operation: Operation;
};

/** A command that is under way. */
export type Following = {
  hasEnded(): boolean;
  ended(): Promise<Ended>;
  /** Ctrl-C on its terminal. */
  interrupt(): void;
  fail(why: string): never;
};

/**
 * Runs a command that drives an operation, stops a program at a named instant of it, changes the world meanwhile, lets it
 * go on, and waits until the command ends.
 */
export async function inTheInstant(
  scene: Pick<FaultScene, "castellan">,
  instant: Instant,
  command: readonly string[],
  change: () => Promise<unknown>,
): Promise<Ended> {
  return (await pastTheInstant(scene, instant, command, change)).ended();
}

/** The same, not waiting for the end. */
export async function pastTheInstant(
  { castellan }: Pick<FaultScene, "castellan">,
  { of, point }: Instant,
  command: readonly string[],
  change: () => Promise<unknown>,
): Promise<Following> {
  const env = { CASTELLAN_STOP_AT: point };
  if (of === null) {
    await castellan.killCoordinator();
    await castellan.startCoordinator(env);
  } else {
    await castellan.killAgent(of);
    await castellan.startAgent(of, env);
  }
  await castellan.connected(["srv127", "srv129", "srv159"]);
  const stopped = of === null ? castellan.coordinator() : castellan.agent(of);
  const running = await follow(castellan, command);
  try {
    await waitFor(() => isStopped(stopped.pid) || running.hasEnded(), {
      timeoutMs: 60_000,
      intervalMs: 10,
      what: `${of ?? "the coordinator"} to be at ${point}`,
    }).catch((cause: unknown) => running.fail(String(cause)));
    if (!isStopped(stopped.pid)) running.fail(`it ended before ${point}`);
    await change();
  } finally {
    stopped.kill("SIGCONT");
  }
  return running;
}

/** A command of the CLI, to its end. */
export async function run(
  { castellan }: Pick<FaultScene, "castellan">,
  command: readonly string[],
): Promise<Ended> {
  return (await follow(castellan, command)).ended();
}

export async function follow(castellan: Castellan, command: readonly string[]): Promise<Following> {
  const cli = await castellan.spawnCli(command);
  let said = "";
  for (const stream of [cli.stdout, cli.stderr]) {
    stream?.on("data", (chunk: Buffer | string) => {
      said += String(chunk);
    });
  }
  return {
    hasEnded: () => !cli.isRunning(),
    interrupt: () => cli.kill("SIGINT"),
    fail: (why) => {
      throw new Error(`${command.join(" ")}: ${why}; it said ${said}`);
    },
    ended: async () => {
      const exitCode = await cli.exited;
      const operation = await newestOperation(castellan);
      if (operation === null) throw new Error(`no operation; the command said ${said}`);
      return { exitCode, said, operation };
    },
  };
}

/** Paused with exit status 4 at this step, in these words, and never with a trace of our own program. */
export function expectPause(
  { exitCode, said, operation }: Ended,
  step: string,
  says: readonly (string | RegExp)[],
): void {
  expect(operation.state, said).toBe("paused");
  expect(exitCode, said).toBe(4);
  const failed = operation.plan.steps.filter((_, i) => operation.steps[i]?.state === "failed");
  expect(failed.map(({ id }) => id)).toContain(step);
  // Its lines are filled to the terminal's width.
  const text = said.replaceAll(/\s+/g, " ");
  for (const words of says) {
    if (typeof words === "string") expect(text).toContain(words);
    else expect(text).toMatch(words);
  }
  expect(text).toContain(`castellan operation resume ${operation.id}`);
  expect(said).not.toMatch(/\bat .*\.js:\d+/);
}

/** Aborts it: rolled back, exit status 0, the cluster well and as it was before the first fault. */
export async function expectAbort(
  scene: FaultScene,
  { operation: { id } }: Pick<Ended, "operation">,
): Promise<void> {
  const { castellan } = scene;
  const aborted = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(aborted.stdout + aborted.stderr).toContain("Everything that it made was taken back.");
  expect(aborted.exitCode).toBe(0);
  await expectAsBefore(scene);
}

/** Nothing is left behind; rows that running pools have loaded are down until their next restart. */
export async function expectAsBefore(scene: FaultScene): Promise<void> {
  const { before, cluster, castellan } = scene;
  const { newNode, pools } = cluster;
  const loadedRow =
    pools === null || newNode === null
      ? {}
      : { loadedRow: { address: newNode.address, port: newNode.port } };
  await expectHealthy(scene);
  expect(await settledDifferences(before, cluster, castellan, loadedRow)).toEqual([]);
}

/** The standby streams, and every pool has both nodes up. */
async function expectHealthy({ cluster }: Pick<FaultScene, "cluster">): Promise<void> {
  const kingbase = cluster.lane.product === "kingbase-v8r3";
  const view = kingbase ? "sys_stat_replication" : "pg_stat_replication";
  await waitFor(
    async () => {
      const rows = await cluster.sql("srv127", `SELECT application_name, state FROM ${view}`);
      return rows.some((row) => Object.values(row).join(" ") === "srv129 streaming");
    },
    { timeoutMs: 15_000, what: "srv129 to stream from srv127" },
  );
  for (const { name } of cluster.pools?.nodes ?? []) {
    await waitFor(
      async () => {
        const rows = (await cluster.pools?.show(name)) ?? [];
        return rows.slice(0, 2).every((row) => row["status"] === "up");
      },
      { timeoutMs: 15_000, what: `both nodes to be up on the pool of ${name}` },
    );
  }
}
