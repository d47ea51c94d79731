import type { Pools } from "#test/harness/pool.ts";
import { processesOf, type SeenProcess } from "#test/harness/snapshot/processes.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** The worker process of every pool, by node. */
export type PoolWorkers = ReadonlyMap<string, string | undefined>;

export function poolWorkers({ nodes }: Pools): PoolWorkers {
  return new Map(nodes.map(({ name, host }) => [name, workerOf(processesOf(host))?.identity]));
}

/**
 * Until every pool has renewed its processes after an attach. The watchdog's leader is without a worker until the last
 * client of its PCP process has gone and then renews both: up to a second, and an addition may end sooner.
 */
export async function untilRenewed(pools: Pools, before: PoolWorkers): Promise<void> {
  await waitFor(
    () =>
      pools.nodes.every(({ name, host }) => {
        const running = processesOf(host);
        const worker = workerOf(running);
        const isNew = worker !== undefined && worker.identity !== before.get(name);
        return isNew && running.some(({ role }) => role?.includes(": PCP: wait for connection"));
      }),
    { timeoutMs: 30_000, what: "every pool to renew its worker and its PCP process" },
  );
}

function workerOf(processes: readonly SeenProcess[]): SeenProcess | undefined {
  return processes.find(({ role }) => role?.endsWith(": worker"));
}
