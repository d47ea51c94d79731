import { setTimeout as sleep } from "node:timers/promises";
import type { TestCluster } from "#test/harness/cluster.ts";

export type PoolWriter = {
  stop(): Promise<{
    readonly acknowledged: readonly number[];
    /** Longest times without an acknowledged row, in ms, the longest first. */
    readonly gaps: readonly number[];
  }>;
};

/** One row after the other into `ledger` through the pool; a session that ends is replaced at once. */
export function writeThroughPool(cluster: TestCluster): PoolWriter {
  const acknowledged: number[] = [];
  const gaps: number[] = [];
  let isStopped = false;
  const writing = (async () => {
    let last = performance.now();
    for (let key = 1_000_000; !isStopped; key += 1) {
      try {
        await cluster.poolSql("INSERT INTO ledger (id, note) VALUES ($1, 'pooled')", [key]);
        acknowledged.push(key);
        const now = performance.now();
        if (now - last > 200) gaps.push(Math.round(now - last));
        last = now;
      } catch {
        await sleep(10);
      }
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await writing;
      return { acknowledged, gaps: gaps.toSorted((a, b) => b - a) };
    },
  };
}
