import type { BackendRow } from "#shared/domain/commands.ts";
import { createLog } from "#shared/log.ts";
import { systemClock } from "#shared/time.ts";
import { parseNodeInfo } from "#agent/adapters/pcp-output.ts";
import type { LocalStepContext } from "#coordinator/operations/local-steps/local-step.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { startLoad, type Load } from "#test/harness/load.ts";
import type { Pools } from "#test/harness/pool.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { makeStandby } from "./standby.ts";
import { installRootHelper, startStepRunner, type StepRunner } from "./step-runner.ts";

/** Two nodes with a pool each, a third that streams already, and clients on a host of their own. */
export interface Stage extends AsyncDisposable {
  readonly lab: Lab;
  readonly cluster: TestCluster;
  readonly pools: Pools;
  readonly load: Load;
  /** The agent's steps on every pool's host, the first pool's first. */
  readonly runners: readonly StepRunner[];
  readonly configFile: string;
  /** A row for the new node under a name of its own: a pool forgets no row until it is restarted. */
  row(id: number): BackendRow;
  /** What the coordinator's runner gives to a local step. */
  localContext(operationId: string, signal?: AbortSignal): LocalStepContext;
  statusOf(node: string, id: number): Promise<string>;
  waitForStatus(id: number, status: string): Promise<void>;
  /** New clients in place of some that may wait for ever for a pool that is gone; fewer fresh ones pile up meanwhile. */
  replaceLoad(freshIntervalMs: number): Promise<void>;
  /** A new agent's stand-in in place of one that was killed. */
  replaceRunner(node: string): Promise<void>;
}

const hosts = ["127", "129", "159", "10"];
const mostRows = 60;

export async function createStage(): Promise<Stage> {
  const stack = new AsyncDisposableStackLike();
  try {
    const lab = stack.use(
      await createLab({
        hosts: hosts.map((last) => ({ name: `srv${last}`, address: `192.168.4.${last}` })),
      }),
    );
    const cluster = stack.use(
      await createCluster(lab, {
        product: "postgresql",
        nodes: ["srv127", "srv129"],
        newNode: "srv159",
        pool: true,
        settings: { max_connections: "200" },
        poolSettings: { num_init_children: "64" },
      }),
    );
    const { pools } = cluster;
    if (pools === null) throw new Error("the cluster has no pools");
    await makeStandby(cluster);
    for (const { host } of pools.nodes) {
      const names = Array.from({ length: mostRows }, (_, id) => `srv159-${id}`).join(" ");
      const known = await host.readFile("/etc/hosts");
      await host.writeFile("/etc/hosts", `${known}192.168.4.159 ${names}\n`, { mode: 0o644 });
    }
    const runners: StepRunner[] = [];
    for (const node of pools.nodes) {
      await installRootHelper(cluster, node);
      runners.push(stack.use(await startStepRunner(cluster, pools, node)));
    }
    let firstKey = 1;
    const openLoad = async (freshIntervalMs: number): Promise<Load> => {
      const options = { readers: 16, writers: 1, freshIntervalMs, firstKey };
      firstKey += 1_000_000;
      return stack.use(await startLoad(cluster, lab.host("srv10"), options));
    };
    let load = await openLoad(50);
    const dataDirectory = cluster.newNode?.paths.dataDir ?? "";
    const statusOf: Stage["statusOf"] = async (node, id) =>
      parseNodeInfo(await pools.pcp(node, "pcp_node_info", ["-n", String(id), "-v"]))?.status ??
      "absent";
    return {
      lab,
      cluster,
      pools,
      get load() {
        return load;
      },
      runners,
      configFile: pools.nodes[0]?.pool.configFile ?? "",
      row: (id) => ({
        id,
        hostname: `srv159-${id}`,
        port: cluster.port,
        weight: 1,
        dataDirectory,
        applicationName: "srv159",
      }),
      localContext: (operationId, signal = new AbortController().signal) => ({
        operationId,
        stepId: "attach-pool",
        cluster: cluster.name,
        wasDone: false,
        signal,
        clock: systemClock,
        log: createLog("stage", "silent"),
        clusterFiles: noClusterFiles,
        progress: () => undefined,
        command: (node, kind, args, phase) => {
          const runner = runners.find((candidate) => candidate.node === node);
          if (runner === undefined) throw new Error(`no agent on ${node}`);
          return runner.command(kind, args, phase, operationId);
        },
      }),
      statusOf,
      waitForStatus: async (id, status) => {
        for (const { name } of pools.nodes) {
          await waitFor(async () => (await statusOf(name, id)) === status, {
            timeoutMs: 15_000,
            intervalMs: 20,
            what: `backend ${id} to be ${status} on ${name}`,
          });
        }
      },
      replaceLoad: async (freshIntervalMs) => {
        await load[Symbol.asyncDispose]();
        load = await openLoad(freshIntervalMs);
      },
      replaceRunner: async (name) => {
        const index = runners.findIndex(({ node }) => node === name);
        const node = pools.nodes[index];
        if (node === undefined) throw new Error(`no agent on ${name}`);
        runners[index] = stack.use(await startStepRunner(cluster, pools, node));
      },
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    };
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

const noClusterFiles: LocalStepContext["clusterFiles"] = {
  names: () => [],
  load: () => unused(),
  create: () => unused(),
  addNode: () => unused(),
  takeNode: () => unused(),
  removeNode: () => unused(),
  putNodeBack: () => unused(),
};

function unused(): never {
  throw new Error("no declaration is touched here");
}

/** Node 20 has no AsyncDisposableStack. */
class AsyncDisposableStackLike implements AsyncDisposable {
  readonly #opened: AsyncDisposable[] = [];

  use<T extends AsyncDisposable>(value: T): T {
    this.#opened.push(value);
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const value of this.#opened.reverse()) await value[Symbol.asyncDispose]();
  }
}
