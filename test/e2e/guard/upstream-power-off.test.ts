import { expect, test } from "vitest";
import { Decision } from "#shared/domain/guard.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { failoverBed, type FailoverBed } from "#test/e2e/support/failover-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

/** So that nothing but the guard ends the stream from a host that is silent. */
async function receiveForEver({ cluster }: FailoverBed): Promise<void> {
  await cluster.sql("srv159", "ALTER SYSTEM SET wal_receiver_timeout = 0");
  await cluster.sql("srv159", "SELECT pg_reload_conf()");
  await waitFor(
    async () =>
      (await cluster.sql("srv159", "SHOW wal_receiver_timeout"))[0]?.["wal_receiver_timeout"] ===
      "0",
    { what: "the setting to be in force" },
  );
}

test.each(lanes)(
  "a standby whose primary's host lost its power follows the one that is promoted, though its receiver counts as streaming: %s",
  async (_title, lane) => {
    await using bed = await failoverBed(lane);
    await receiveForEver(bed);
    await bed.cluster.node("srv127").host.powerOff();
    await bed.promote("srv129");
    await bed.follows("srv159", "srv129");
    const done = await bed.decided("srv159", "upstream-changed", "done");
    expect(done.evidence).toContain("followed is srv127, which is silent");
  },
);

test("a primary that comes back from behind a cut is followed by nobody any more, and stops", async () => {
  await using bed = await failoverBed({ product: "postgresql" });
  await receiveForEver(bed);
  const { cluster } = bed;
  const old = cluster.node("srv127").host;
  await old.cutLink();
  await bed.promote("srv129");
  await bed.follows("srv159", "srv129");
  const before = await bed.postmaster("srv159");

  await old.healLink();
  await bed.decided("srv127", "old-primary-running", "done");
  expect(await cluster.isRunning("srv127")).toBe(false);
  expect(await bed.upstreamOf("srv159")).toBe("srv129");
  expect(await bed.postmaster("srv159")).toBe(before);
  const kept = await cluster.node("srv159").host.readFile("/var/lib/castellan-agent/decisions.jsonl"); // prettier-ignore
  const followed = kept
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Decision.parse(JSON.parse(line)))
    .filter(({ rule, outcome }) => rule === "upstream-changed" && outcome === "done");
  expect(followed).toHaveLength(1);
});
