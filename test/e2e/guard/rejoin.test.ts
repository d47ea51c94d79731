import { expect, test } from "vitest";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { failoverBed, type FailoverBed } from "#test/e2e/support/failover-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 15", { product: "kingbase-v8r3", version: 15 }],
];

test.each(lanes)(
  "an old primary that comes back with WAL of its own is a standby before anybody can write to it, and keeps that WAL, S10: its own settings, S11: and slots that hold nothing: %s",
  async (_title, lane) => {
    // prettier-ignore
    await using bed = await failoverBed(lane, { rejoin: "all" });
    const { cluster, castellan } = bed;
    const { host, paths } = cluster.node("srv127");
    const conf = `${await host.readFile(paths.configFile)}work_mem = '7MB' # by hand\n`;
    await host.writeFile(paths.configFile, conf, { owner: cluster.lane.osUser, mode: 0o600 });
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
    expect(await host.readFile(paths.configFile)).toBe(conf);
    expect(await cluster.sql("srv127", "SHOW work_mem")).toEqual([{ work_mem: "7MB" }]);
    const slots = await cluster.sql("srv127", "SELECT slot_name::text AS name, restart_lsn FROM pg_replication_slots ORDER BY 1"); // prettier-ignore
    expect(slots).toEqual([
      { name: "slot_srv129", restart_lsn: null },
      { name: "slot_srv159", restart_lsn: null },
    ]);
  },
);

test("an old primary that still runs is stopped, and is left to a person where the site rewinds none, S6: and where its rewind fails", async () => {
  await using bed = await failoverBed({ product: "postgresql" });
  const { cluster } = bed;
  await bed.promote("srv129");
  await cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'of the old one')");
  await bed.decided("srv127", "old-primary-running", "done");
  expect(await cluster.isRunning("srv127")).toBe(false);
  const { host, paths } = cluster.node("srv127");
  expect(host.exists(`${paths.dataDir}/standby.signal`)).toBe(true);
  await bed.follows("srv159", "srv129");

  // What the dry run could not foresee.
  const program = `${paths.binDir}/pg_rewind`;
  await host.exec(["cp", program, "/tmp/pg_rewind"]);
  await host.writeFile("/tmp/failing", failingRewind, { mode: 0o755 });
  await host.exec(["mount", "--bind", "/tmp/failing", program]);
  await bed.set("srv127", [[/rejoin: "standbys"/, 'rejoin: "all"']]);
  const told = await bed.untilAlert("node:srv127:guard:needs-rebuild");
  expect(told.detail).toContain("pg_rewind ended with 1: pg_rewind: fatal: could not read a block");
  expect(await cluster.isRunning("srv127")).toBe(false);
  // Nobody else can start it, either.
  await expect(cluster.start("srv127")).rejects.toThrow();
});

const failingRewind = `#!/bin/sh
case "$*" in *--dry-run*|*--version*) exec /tmp/pg_rewind "$@" ;; esac
echo 'pg_rewind: fatal: could not read a block' >&2
exit 1
`;

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
