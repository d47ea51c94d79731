import { expect, test } from "vitest";
import type { DriftAnswer } from "#coordinator/api/drift-contract.ts";
import type { AlertRecord, OperationRecord } from "#coordinator/store/store.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { failoverBed } from "#test/e2e/support/failover-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

test.each(lanes)(
  "another node becomes the primary, and all follow it: %s",
  async (_title, lane) => {
    await using bed = await failoverBed(lane);
    const { cluster, castellan } = bed;
    await cluster.sql("srv127", "CREATE TABLE kept AS SELECT 1 AS id");
    const done = await castellan.json<OperationRecord>(["switchover", cluster.name, "--to", "srv159", "--yes"]); // prettier-ignore
    expect(done).toMatchObject({ kind: "switchover", state: "succeeded" });
    expect(await bed.upstreamOf("srv127")).toBe("srv159");
    expect(await bed.upstreamOf("srv129")).toBe("srv159");
    await cluster.sql("srv159", "INSERT INTO kept VALUES (2)");
    for (const node of ["srv127", "srv129"]) {
      await waitFor(async () => (await cluster.sql(node, "SELECT id FROM kept")).length === 2);
    }
    // And back: nothing of the first one stands in its way.
    const back = await castellan.json<OperationRecord>(["switchover", cluster.name, "--to", "srv127", "--yes"]); // prettier-ignore
    expect(back.state).toBe("succeeded");
    expect(await bed.upstreamOf("srv159")).toBe("srv127");
    await waitFor(
      async () =>
        (await castellan.json<DriftAnswer>(["drift", "list", cluster.name])).files.length === 0,
      { what: "every file to be as accepted" },
    );
    // What it wrote itself was nobody's drift, not for a moment.
    const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list", "--all"]);
    expect(alerts.filter(({ cause }) => cause.includes("drift"))).toEqual([]);
  },
);
