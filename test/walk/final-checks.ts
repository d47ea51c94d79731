import type { LoadStats } from "#test/harness/load-generator/messages.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { differences, takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import { comparable } from "./clean-add.ts";
import type { Stage } from "./stage.ts";

/** What is wrong with the walk's end, a line each. */
export type Complaints = readonly string[];

/** Every row whose insert was acknowledged is on every node. */
export async function rowsAreThere(
  { cluster }: Stage,
  { acknowledged }: LoadStats,
  nodes: readonly string[],
): Promise<Complaints> {
  const lists = await Promise.all(
    nodes.map(async (name) => {
      const missing = async (): Promise<number> => {
        let count = 0;
        for (const [first, last] of acknowledged) {
          const rows = await cluster.sql(
            name,
            "SELECT count(*)::int AS n FROM ledger WHERE id BETWEEN $1 AND $2",
            [first, last],
          );
          count += last - first + 1 - Number(rows[0]?.["n"] ?? 0);
        }
        return count;
      };
      try {
        // An asynchronous standby may still be replaying the last of them.
        await waitFor(async () => (await missing()) === 0, {
          timeoutMs: 20_000,
          what: `all acknowledged rows on ${name}`,
        });
        return [];
      } catch (error) {
        return [`${name} lacks acknowledged rows: ${String(error)}`];
      }
    }),
  );
  return lists.flat();
}

/** The new node streams, both pools read from it. */
export async function isAMember(stage: Stage): Promise<Complaints> {
  const { cluster } = stage;
  const { pools } = cluster;
  const complaints: string[] = [];
  const check = async (what: string, probe: () => Promise<boolean>): Promise<void> => {
    await waitFor(probe, { timeoutMs: 30_000, intervalMs: 250, what }).catch((error: unknown) =>
      complaints.push(String(error)),
    );
  };
  await check("slot_srv159 to be in use", async () => {
    const rows = await cluster.sql(
      "srv127",
      "SELECT active FROM pg_replication_slots WHERE slot_name = 'slot_srv159'",
    );
    return rows[0]?.["active"] === true;
  });
  for (const { name } of pools?.nodes ?? []) {
    await check(`all rows to be up on the pool of ${name}`, async () => {
      const rows = (await pools?.show(name)) ?? [];
      return rows.length === 3 && rows.every(({ status }) => status === "up");
    });
  }
  await check("a client's read to be answered by srv159", async () => {
    const rows = await cluster.poolSql(
      "SELECT host(inet_server_addr()) AS server FROM ledger WHERE id = -1",
    );
    return rows[0]?.["server"] === cluster.newNode?.address;
  });
  return complaints;
}

/** Nothing is left of an add that was taken back, but a row that the pools have loaded. */
export function isAsBefore(
  stage: Stage,
  before: Snapshot,
  isExcused: (line: string) => boolean,
): Promise<Complaints> {
  const { newNode } = stage.cluster;
  const loadedRow = { address: newNode?.address ?? "", port: newNode?.port ?? 0 };
  return settled(stage, isExcused, (now) => differences(before, now, { loadedRow }));
}

/** Nothing stands in the way of the next try. */
export async function canBeAdded(
  { cluster, castellan }: Stage,
  consent: readonly string[],
): Promise<Complaints> {
  const { newNode } = cluster;
  if (newNode === null) return [];
  const preflight = ["preflight", cluster.name, newNode.name, "--address", newNode.address];
  let said = "";
  try {
    await waitFor(
      async () => {
        const { exitCode, stdout } = await castellan.cli([...preflight, ...consent], {
          reject: false,
        });
        said = stdout;
        return exitCode === 0;
      },
      { timeoutMs: 30_000, intervalMs: 500, what: "a preflight that passes" },
    );
    return [];
  } catch {
    return [`the node can't be added again: ${said}`];
  }
}

/** Everything is as after an add that nothing disturbed. */
export function isAsAfterCleanAdd(
  stage: Stage,
  clean: Snapshot,
  isExcused: (line: string) => boolean,
): Promise<Complaints> {
  return settled(stage, isExcused, (now) => differences(clean, comparable(now)));
}

async function settled(
  { cluster, castellan }: Stage,
  isExcused: (line: string) => boolean,
  compare: (now: Snapshot) => readonly string[],
): Promise<Complaints> {
  let left: Complaints = [];
  await waitFor(
    async () => {
      const now = await takeSnapshot(cluster, castellan);
      left = compare(now).filter((line) => !isExcused(line));
      return left.length === 0;
    },
    { timeoutMs: 15_000, intervalMs: 500, what: "the cluster to be as it was" },
  ).catch(() => undefined);
  return left.map((line) => `not as it was: ${line}`);
}
