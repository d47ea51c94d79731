import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDatabaseObserver } from "#agent/observe/database.ts";
import { repoint } from "#agent/guard/steps/repoint.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "./guard-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions, restarts: boolean])[] = [
  ["PostgreSQL 15", { product: "postgresql" }, false],
  ["PostgreSQL 10", { product: "postgresql", version: 10 }, true],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }, true],
  ["KingbaseES' names on PostgreSQL 15", { product: "kingbase-v8r3", version: 15 }, true],
];

/** What is idle is quiet for up to half of wal_receiver_timeout. */
const quiet = `SELECT 1 FROM pg_stat_wal_receiver
  WHERE clock_timestamp() - last_msg_receipt_time > interval '6 seconds'`;

describe.each(lanes)("%s", (_title, lane, restarts) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 20 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const stepTo = (node: string) => {
    const { address: host, port } = bed.cluster.node(node);
    return { do: "repoint" as const, node, host, port };
  };
  const postmaster = async (node: string): Promise<string> => {
    const { host, paths } = bed.cluster.node(node);
    return (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n")[0] ?? "";
  };

  test("a stream on which nothing comes is left alone while its upstream answers", async () => {
    const host = await bed.host("srv159");
    await waitFor(async () => (await bed.cluster.sql("srv159", quiet)).length === 1, {
      timeoutMs: 60_000,
      what: "the stream to be quiet",
    });
    const { address, port } = bed.cluster.node("srv127");
    await expect(repoint(stepTo("srv129"), host)).rejects.toThrow(
      `streams from ${address}:${port}, which is primary`,
    );
  });

  test("a standby that streams is left alone, and so is one that is told to follow a standby", async () => {
    const host = await bed.host("srv159");
    await expect(repoint(stepTo("srv129"), host)).rejects.toThrow(
      `streams from ${bed.cluster.node("srv127").address}`,
    );
    expect(await bed.upstreamOf("srv159")).toBe("streams from srv127");
    // Both standbys get all of its WAL: one that got more than the other could not follow it.
    await bed.cluster.stop("srv127", "fast");
    await expect(repoint(stepTo("srv129"), host)).rejects.toThrow("srv129 is a standby itself");
  });

  test("after a failover a standby follows the new primary, with its slot, its user and its name", async () => {
    const host = await bed.host("srv159");
    await bed.promote("srv129");
    const before = await postmaster("srv159");
    await bed.cluster.sql("srv129", "SELECT pg_drop_replication_slot('slot_srv159')");

    expect(await repoint(stepTo("srv129"), host)).toContain("streams from srv129");
    expect(await bed.upstreamOf("srv159")).toBe("streams from srv129");
    expect((await postmaster("srv159")) === before).toBe(!restarts);
    expect(
      await bed.cluster.sql(
        "srv129",
        "SELECT application_name::text AS name, slot_name::text AS slot FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid",
      ),
    ).toEqual([{ name: "srv159", slot: "slot_srv159" }]);
    expect(host.marks).toMatchObject({ diverged: null, restartingSince: null });
    if (lane.product === "kingbase-v8r3") {
      const { host: machine, paths, address } = bed.cluster.node("srv159");
      for (const path of [`${paths.dataDir}/recovery.conf`, `${paths.root}/db/etc/recovery.done`]) {
        const text = await machine.readFile(path);
        expect(text).toContain(`host=${bed.cluster.node("srv129").address} `);
        expect(text).not.toContain(address);
      }
    }
    // Told twice: nothing happens.
    expect(await repoint(stepTo("srv129"), host)).toContain("streams from srv129");
  });

  test("left alone by that one, it is on the timeline that it got from there, though no restartpoint has told", async () => {
    const { cluster } = bed;
    await cluster.sql("srv129", "INSERT INTO ledger VALUES (1, 'on timeline 2')");
    await waitFor(
      async () => (await cluster.sql("srv159", "SELECT 1 FROM ledger WHERE id = 1")).length === 1,
      { what: "srv159 to have it" },
    );
    await cluster.stop("srv129", "immediate");
    const host = await bed.host("srv159");
    const observer = createDatabaseObserver(host);
    const seen = await waitFor(
      async () => {
        const facts = await observer.observe({ fresh: true, settings: true });
        return facts.receiver === null && facts.role === "standby" ? facts : null;
      },
      { what: "the receiver to end" },
    );
    expect(seen.timeline).toBe(2);
  });
});
