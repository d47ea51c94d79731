import { waitFor } from "#test/harness/wait-for.ts";
import type { Pools } from "#test/harness/pool.ts";
import { startDatabase, startPool } from "./site.ts";
import type { Stage } from "./stage.ts";

/**
 * What a DBA puts right after an outage, before going on: servers and pools run, standbys stream, and the rows
 * that a pool has put aside are attached again. The new node's row is Castellan's business (`rows` leaves it out)
 * until it has been added.
 */
export async function mend(stage: Stage, rows: readonly number[]): Promise<void> {
  const { cluster } = stage;
  const { pools } = cluster;
  for (const node of cluster.nodes) await startDatabase(stage, node);
  await waitFor(() => isStreaming(stage, "srv129"), {
    timeoutMs: 60_000,
    what: "srv129 to stream",
  });
  if (pools === null) return;
  for (const name of ["srv127", "srv129"] as const) await startPool(stage, name);
  await waitFor(() => oneVip(pools), { timeoutMs: 60_000, intervalMs: 250, what: "one pool to hold the VIP" }); // prettier-ignore
  for (const { name } of pools.nodes) {
    await waitFor(() => attached(pools, name, rows), {
      timeoutMs: 60_000,
      intervalMs: 500,
      what: `rows ${rows.join(", ")} to be up on the pool of ${name}`,
    });
  }
}

async function isStreaming({ cluster }: Stage, standby: string): Promise<boolean> {
  const rows = await cluster.sql(
    "srv127",
    "SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'",
    [standby],
  );
  return rows.length === 1;
}

async function oneVip(pools: Pools): Promise<boolean> {
  return pools.vip === null || (await pools.vipHolder()) !== null;
}

async function attached(pools: Pools, name: string, rows: readonly number[]): Promise<boolean> {
  // A pool that has put every backend aside answers nobody.
  const shown = await pools.show(name).catch(() => null);
  const down = rows.filter(
    (id) =>
      shown === null ||
      shown.some((row) => Number(row["node_id"]) === id && row["status"] === "down"),
  );
  for (const id of down) await pools.pcp(name, "pcp_attach_node", ["-n", String(id)]);
  return down.length === 0 && shown?.some(({ role }) => role === "primary") === true;
}
