import { expect, test } from "vitest";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { failoverBed, type FailoverBed } from "#test/e2e/support/failover-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 15", { product: "kingbase-v8r3", version: 15 }],
];

test.each(lanes)(
  "an old primary that comes back with WAL of its own is a standby before anybody can write to it, and keeps that WAL: %s",
  async (_title, lane) => {
    // prettier-ignore
    await using bed = await failoverBed(lane, { rejoin: "all" });
    const { cluster, castellan } = bed;
    const { host } = cluster.node("srv127");
    // Written while nobody streams, so on this node alone.
    for (const standby of ["srv129", "srv159"]) await cluster.stop(standby);
    await cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'on nobody else')");
    await host.powerOff();
    for (const standby of ["srv129", "srv159"]) await cluster.start(standby);
    await bed.promote("srv129");
    await cluster.sql("srv129", "INSERT INTO ledger VALUES (2, 'of the new one')");
    await bed.follows("srv159", "srv129");

    const writer = startWriter(bed, "srv127");
    await host.boot();
    await castellan.startAgent("srv127");
    await bed.follows("srv127", "srv129");
    expect(await writer.stop()).toEqual([]);
    await waitFor(async () => (await ids(bed, "srv127")) === "2", { what: "the rows of the new primary" }); // prettier-ignore
    const done = await bed.decided("srv127", "old-primary-stopped", "done");
    expect(done.why).toContain("bytes of WAL that it has not are kept in");
    const { stdout } = await host.exec(["find", "/var/lib/castellan-agent/diverged-wal", "-type", "f"]); // prettier-ignore
    expect(stdout).toMatch(/\/00000001[0-9A-F]{16}\b/);
  },
);

test("an old primary that still runs is stopped, and is left to a person where the site rewinds none", async () => {
  await using bed = await failoverBed({ product: "postgresql" });
  const { cluster } = bed;
  await bed.promote("srv129");
  await cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'of the old one')");
  await bed.decided("srv127", "old-primary-running", "done");
  expect(await cluster.isRunning("srv127")).toBe(false);
  const { host, paths } = cluster.node("srv127");
  expect(host.exists(`${paths.dataDir}/standby.signal`)).toBe(true);
  await bed.follows("srv159", "srv129");
});

/** Tries to write all the time; answers what it was let write. */
function startWriter(
  { cluster }: FailoverBed,
  node: string,
): { stop(): Promise<readonly number[]> } {
  const written: number[] = [];
  let isStopped = false;
  const write = async (): Promise<void> => {
    for (let id = 1_000; !isStopped; id += 1) {
      await cluster
        .sql(node, "INSERT INTO ledger VALUES ($1, 'by the writer')", [id])
        .then(() => written.push(id))
        .catch(() => undefined); // refused, as it has to be
    }
  };
  const ended = write();
  return {
    stop: async () => {
      isStopped = true;
      await ended;
      return written;
    },
  };
}

async function ids({ cluster }: FailoverBed, node: string): Promise<string> {
  const rows = await cluster.sql(node, "SELECT id FROM ledger WHERE id > 0 ORDER BY 1");
  return rows.map(({ id }) => String(id)).join();
}
