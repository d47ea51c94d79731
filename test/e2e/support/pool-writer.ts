import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { TestCluster } from "#test/harness/cluster.ts";
import { openClient } from "#test/harness/sql-client.ts";

export type PoolWriter = {
  /** The longest time without an acknowledged row since the last call, in ms. */
  longestGap(): number;
  /** The rows that were acknowledged, by their number. */
  stop(): Promise<readonly number[]>;
};

/** One row after the other into `ledger` through the pool, as an application does: a session that ends is replaced at once. */
export function writeThroughPool(cluster: TestCluster): PoolWriter {
  const { lab, pools } = cluster;
  if (pools === null) throw new Error("no pools");
  const acknowledged: number[] = [];
  let lastAt = performance.now();
  let longestMs = 0;
  let isStopped = false;
  let client: pg.Client | null = null;
  const writing = (async () => {
    for (let key = 1_000_000; !isStopped; key += 1) {
      try {
        if (client === null) {
          client = await openClient(lab, pools.login("app"));
          client.on("error", () => undefined); // told by the query that is under way, or by the next one
        }
        await client.query("INSERT INTO ledger (id, note) VALUES ($1, 'pooled')", [key]);
        acknowledged.push(key);
        longestMs = Math.max(longestMs, performance.now() - lastAt);
        lastAt = performance.now();
        await sleep(1);
      } catch {
        client?.end().catch(() => undefined);
        client = null;
        await sleep(10);
      }
    }
    await client?.end();
  })();
  return {
    longestGap: () => {
      const gap = Math.max(longestMs, performance.now() - lastAt);
      longestMs = 0;
      return Math.round(gap);
    },
    stop: async () => {
      isStopped = true;
      // Ends a statement, too, that a host which is gone will never answer.
      client?.end().catch(() => undefined);
      await writing;
      return acknowledged;
    },
  };
}
