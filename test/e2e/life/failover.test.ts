import { expect, test } from "vitest";
import type { AlertRecord, OperationRecord } from "#coordinator/store/store.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import { databaseVip } from "#test/harness/kingbase/node-files.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { killPrimary, leaveBehind } from "../support/lost-primary.ts";
import { answers, failingOver, isStandby, rows } from "../support/pool-failover.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

test.each(lanes)(
  "the pool's primary is killed: the standby with most is promoted, not the lowest row: %s",
  async (_title, lane) => {
    await using bed = await failingOver(lane);
    const { cluster, castellan } = bed;
    await cluster.sql("srv127", "CREATE TABLE kept AS SELECT 1 AS id");
    await waitFor(async () => (await rows(cluster, "srv129")) === 1, { what: "srv129 to have it" });
    await leaveBehind(cluster, "srv129");
    await cluster.sql("srv127", "INSERT INTO kept VALUES (2)");
    await waitFor(async () => (await rows(cluster, "srv159")) === 2, { what: "srv159 to have it" });
    await waitFor(() => holds(cluster, "srv127"), { timeoutMs: 30_000, what: "the primary's address" }); // prettier-ignore
    await killPrimary(cluster);
    const called = await answers(cluster);
    expect(called).toMatch(/ promoted: srv159: /);
    expect(await isStandby(cluster, "srv159")).toBe(false);
    expect(await isStandby(cluster, "srv129")).toBe(true);
    expect(await rows(cluster, "srv159")).toBe(2);
    const operations = await castellan.json<readonly OperationRecord[]>(["operation", "list"]);
    expect(operations.filter(({ kind }) => kind === "failover")).toMatchObject([{ subject: "srv159" }]); // prettier-ignore
    // The guards lead the others over, not one behind the other, and the pools let them serve again.
    await waitFor(
      async () => {
        const senders = await cluster.sql("srv159", "SELECT application_name::text AS name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"); // prettier-ignore
        return senders.map(({ name }) => name).join() === "srv127,srv129";
      },
      { timeoutMs: 60_000, what: "both to follow srv159" },
    );
    expect(await rows(cluster, "srv129")).toBe(2);
    await waitFor(() => holds(cluster, "srv159"), { timeoutMs: 60_000, what: "the address to move" }); // prettier-ignore
    for (const { name } of cluster.pools?.nodes ?? []) {
      await waitFor(
        async () => {
          const shown = (await cluster.pools?.show(name)) ?? [];
          const rowOf = (node: string) => shown.find(({ hostname }) => hostname === cluster.node(node).address); // prettier-ignore
          const [leader, follower] = [rowOf("srv159"), rowOf("srv129")];
          return leader?.role === "primary" && leader.status === "up" && follower?.role === "standby" && follower.status === "up"; // prettier-ignore
        },
        { timeoutMs: 60_000, what: `the pool of ${name} to have both` },
      );
    }
    // Started by whomever, the former primary is none any more.
    await waitFor(async () => (await rows(cluster, "srv127")) === 2, { timeoutMs: 60_000, what: "srv127 to answer" }); // prettier-ignore
    expect(await isStandby(cluster, "srv127")).toBe(true);
    const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
    expect(alerts.filter(({ cause }) => cause === `failover:${cluster.name}`)).toEqual([]);
  },
);

/** Of KingbaseES: the database's virtual address is on that host, and on no other. */
async function holds(cluster: TestCluster, node: string): Promise<boolean> {
  if (cluster.lane.product !== "kingbase-v8r3") return true;
  const holders: string[] = [];
  for (const { host, name } of cluster.nodes) {
    const { stdout } = await host.exec(["ip", "-4", "-o", "addr", "show"]);
    if (stdout.includes(` ${databaseVip(cluster)} `)) holders.push(name);
  }
  return holders.join() === node;
}
