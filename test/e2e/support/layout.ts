import { expect } from "vitest";
import type { TestCluster } from "#test/harness/cluster.ts";

/** srv127 leads, both others stream from it, every pool has all of them up, and no drill's table is left. */
export async function expectFirstLayout(cluster: TestCluster): Promise<void> {
  const senders = await cluster.sql("srv127", "SELECT application_name::text AS name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"); // prettier-ignore
  expect(senders.map(({ name }) => name)).toEqual(["srv129", "srv159"]);
  for (const { name } of cluster.pools?.nodes ?? []) {
    const rows = (await cluster.pools?.show(name)) ?? [];
    expect(rows.map(({ status }) => status)).toEqual(["up", "up", "up"]);
    expect(rows.map(({ role }) => role)).toEqual(["primary", "standby", "standby"]);
  }
  const left = await cluster.sql("srv127", "SELECT 1 FROM pg_tables WHERE tablename LIKE 'castellan_drill%'"); // prettier-ignore
  expect(left).toEqual([]);
}
