import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { TestCluster } from "#test/harness/cluster.ts";

export type WriterWatch = {
  look(): Promise<{
    /** Those that acknowledge a row now. */
    readonly primaries: readonly string[];
    /** Acknowledged rows that no node of those has. */
    readonly lost: readonly number[];
    /** Pairs of nodes that said at one instant that they are the primary. */
    readonly overlaps: readonly string[];
  }>;
  stop(): Promise<void>;
};

/** A node surely was the primary between two answers that one session gave. */
type Stretch = { readonly node: string; readonly from: number; until: number };

/** Of all watches: a bed that is taken as the run before has left it still has that one's rows. */
let next = 2_000_000;

/** Every node is asked every 20 ms; where it is the primary a numbered row is written every 200 ms. */
export function watchWriters(cluster: TestCluster): WriterWatch {
  const stretches: Stretch[] = [];
  const acknowledged: number[] = [];
  let isStopped = false;
  const write = async (client: pg.Client): Promise<void> => {
    const id = next++;
    await client.query("INSERT INTO ledger (id, note) VALUES ($1, 'watched')", [id]);
    acknowledged.push(id);
  };
  const asking = async (node: string): Promise<void> => {
    const client = await cluster.client(node);
    const writer = await cluster.client(node);
    let stretch: Stretch | null = null;
    let isWriting = false;
    let writtenAt = 0;
    try {
      while (!isStopped) {
        const asked = performance.now();
        if (await isPrimary(client)) {
          const answered = performance.now();
          if (stretch === null) stretches.push((stretch = { node, from: answered, until: asked }));
          stretch.until = asked;
          if (!isWriting && answered - writtenAt >= 200) {
            writtenAt = answered;
            isWriting = true;
            write(writer)
              .catch(() => undefined) // its session has ended, or a standby was asked
              .finally(() => (isWriting = false));
          }
        } else stretch = null;
        await pause();
      }
    } finally {
      await Promise.allSettled([client.end(), writer.end()]);
    }
  };
  const watching = Promise.all(
    cluster.nodes.map(async ({ name }) => {
      while (!isStopped) {
        await asking(name).catch(() => undefined); // it is stopped, or starts
        await pause();
      }
    }),
  );
  return {
    look: async () => {
      const primaries: string[] = [];
      const lost = new Set(acknowledged);
      for (const { name } of cluster.nodes) {
        if (!(await takesRow(cluster, name, next++))) continue;
        primaries.push(name);
        const rows = await cluster.sql(name, "SELECT id::int AS id FROM ledger WHERE note = 'watched'"); // prettier-ignore
        for (const { id } of rows) lost.delete(Number(id));
      }
      return { primaries, lost: [...lost], overlaps: overlapsOf(stretches) };
    },
    stop: async () => {
      isStopped = true;
      await watching;
    },
  };
}

async function isPrimary(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ standby: boolean }>("SELECT pg_is_in_recovery() AS standby"); // prettier-ignore
  return rows[0]?.standby === false;
}

async function takesRow(cluster: TestCluster, node: string, id: number): Promise<boolean> {
  const note = "INSERT INTO ledger (id, note) VALUES";
  return cluster.sql(node, `${note} (${id}, 'asked')`).then(
    () => true,
    () => false,
  );
}

function overlapsOf(stretches: readonly Stretch[]): readonly string[] {
  return stretches.flatMap((one, index) =>
    stretches
      .slice(index + 1)
      .filter(
        ({ node, from, until }) =>
          node !== one.node && Math.max(from, one.from) < Math.min(until, one.until),
      ) // prettier-ignore
      .map(({ node }) => `${one.node} and ${node}`),
  );
}

/** A watch that nobody stopped keeps no process from its end. */
function pause(): Promise<void> {
  return sleep(20, undefined, { ref: false });
}
