import { expect, test } from "vitest";
import type { DriftAnswer } from "#coordinator/api/drift-contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { failoverBed, type FailoverBed } from "#test/e2e/support/failover-bed.ts";
import { newestOperation } from "#test/e2e/support/operations.ts";

test("a former primary that the guard leaves to a person is rewound when one asks, and keeps the WAL of its own", async () => {
  await using bed = await fencedBed({ product: "postgresql" });
  const { cluster, castellan } = bed;
  const rejoin = ["node", "rejoin", cluster.name, "srv127"];
  const shown = await castellan.cli([...rejoin, "--dry-run"]);
  expect(shown.stdout).toContain("with a rewind where it has WAL of its own");
  const done = await castellan.json<OperationRecord>([...rejoin, "--yes"]);
  expect(done).toMatchObject({ kind: "rejoin-node", state: "succeeded" });
  expect(await bed.upstreamOf("srv127")).toBe("srv129");
  await waitFor(async () => (await idsOn(bed, "srv127")) === "2", { what: "the new primary's rows" }); // prettier-ignore
  const { host } = cluster.node("srv127");
  const { stdout } = await host.exec(["find", "/var/lib/castellan-agent/diverged-wal", "-type", "f"]); // prettier-ignore
  expect(stdout).toMatch(/\/00000001[0-9A-F]{16}\b/);
  await waitFor(
    async () =>
      (await castellan.json<DriftAnswer>(["drift", "list", cluster.name])).files.every(
        // srv129's marker went with a promotion that was nobody's operation.
        ({ node }) => node !== "srv127",
      ),
    { what: "every file of srv127 to be as accepted" },
  );
  const again = await castellan.cli([...rejoin, "--yes"], { reject: false });
  expect(again.exitCode).toBe(3);
  expect(again.stderr).toContain("srv127 streams: ");
});

test("where no rewind can help it says so, leaves all as it is, and the rebuild brings the node back: KingbaseES' names on PostgreSQL 10", async () => {
  await using bed = await fencedBed({ product: "kingbase-v8r3" });
  const { cluster, castellan } = bed;
  const rejoin = ["node", "rejoin", cluster.name, "srv127", "--yes"];
  await castellan.cli(rejoin, { reject: false });
  const paused = await newestOperation(castellan);
  expect(paused?.failure?.message).toContain("this node can't be rewound");
  expect(await cluster.isRunning("srv127")).toBe(false);
  await castellan.cli(["operation", "abort", paused?.id ?? ""]);
  expect((await newestOperation(castellan))?.state).toBe("rolled-back");
  await waitFor(
    async () => {
      const { exitCode, stderr } = await castellan.cli(rejoin, { reject: false });
      return exitCode === 3 && stderr.includes(`castellan node rebuild ${cluster.name} srv127`);
    },
    { timeoutMs: 30_000, what: "the rebuild to be offered" },
  );
  const rebuild = ["node", "rebuild", cluster.name, "srv127", "--yes"];
  expect((await castellan.json<OperationRecord>(rebuild)).state).toBe("succeeded");
  expect(await bed.upstreamOf("srv127")).toBe("srv129");
  await waitFor(async () => (await idsOn(bed, "srv127")) === "2", { what: "the new primary's rows" }); // prettier-ignore
});

/** srv127 has a row that nobody else has, lost its power, and came back when srv129 led: its guard marks it, and no more. */
async function fencedBed(lane: LaneOptions): Promise<FailoverBed> {
  const bed = await failoverBed(lane);
  const { cluster, castellan } = bed;
  const { host } = cluster.node("srv127");
  for (const standby of ["srv129", "srv159"]) await cluster.stop(standby);
  await cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'on nobody else')");
  await host.powerOff();
  for (const standby of ["srv129", "srv159"]) await cluster.start(standby);
  await bed.promote("srv129");
  await cluster.sql("srv129", "INSERT INTO ledger VALUES (2, 'of the new one')");
  await bed.follows("srv159", "srv129");
  await host.boot();
  await castellan.startAgent("srv127");
  await castellan.connected(["srv127"]);
  await bed.decided("srv127", "old-primary-stopped", "done");
  return bed;
}

async function idsOn({ cluster }: FailoverBed, node: string): Promise<string> {
  const rows = await cluster.sql(node, "SELECT id FROM ledger WHERE id > 0 ORDER BY 1");
  return rows.map(({ id }) => String(id)).join();
}
