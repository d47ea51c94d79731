import type { TestCluster } from "#test/harness/cluster.ts";

export type NumberedWriter = {
  /** Ends after the row that is under way. */
  stop(): Promise<{
    readonly acknowledged: readonly number[];
    /** The longest that a commit waited. */
    readonly longestMs: number;
  }>;
};

/** One row after the other into `ledger` on a node, for as long as its server acknowledges them. */
export async function writeNumbers(
  cluster: TestCluster,
  node: string,
  firstKey: number,
): Promise<NumberedWriter> {
  const client = await cluster.client(node);
  const acknowledged: number[] = [];
  let longestMs = 0;
  let isStopped = false;
  const written = (async () => {
    for (let key = firstKey; !isStopped; key += 1) {
      const begun = performance.now();
      await client.query("INSERT INTO ledger (id, note) VALUES ($1, 'numbered')", [key]);
      acknowledged.push(key);
      longestMs = Math.max(longestMs, performance.now() - begun);
    }
  })();
  written.catch(() => undefined); // told by stop()
  return {
    stop: async () => {
      isStopped = true;
      try {
        await written;
      } finally {
        await client.end();
      }
      return { acknowledged, longestMs };
    },
  };
}
