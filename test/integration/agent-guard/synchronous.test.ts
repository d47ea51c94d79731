import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { synchronous } from "#agent/guard/steps/synchronous.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed, type GuardHost } from "./guard-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];
const both = "2 (srv129, srv159)";

describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 40 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  /** As a look would show it now. */
  const look = async (): Promise<GuardHost> => {
    const host = await bed.host("srv127");
    return { ...host, marks: host.marks, view: { ...host.view, marks: host.marks } };
  };
  const set = async (names: string, notPromotable: string[] = []) =>
    synchronous({ do: "synchronous", names, notPromotable }, await look());
  const marked = async () => (await look()).marks.synchronousBefore;
  const streams = (node: string) =>
    waitFor(async () => (await bed.upstreamOf(node)) === "streams from srv127", {
      what: `${node} to stream`,
    });

  test("a list asks for as many as stream, and for all of them again", async () => {
    expect(await set(both)).toBe(`synchronous_standby_names is '${both}'`);
    await expect(set("1 (srv129, srv159)", ["srv129"])).rejects.toThrow(
      `2 of '${both}' stream now`,
    );
    await expect(
      synchronous({ do: "synchronous", names: both, notPromotable: [] }, await bed.host("srv129")),
    ).rejects.toThrow("this node is a standby");

    await bed.cluster.stop("srv129");
    // Its commit waits for both, and is acknowledged as soon as one is enough.
    const commit = bed.cluster.sql("srv127", "INSERT INTO ledger (id, note) VALUES (1, 'waits')");
    await waitFor(
      async () => (await set("1 (srv129, srv159)", ["srv129"]).catch(() => null)) !== null,
      {
        what: "the walsender of srv129 to end",
      },
    );
    await commit;
    expect(await marked()).toBe(both);
    await expect(set("", ["srv129", "srv159"])).rejects.toThrow(
      "1 of '1 (srv129, srv159)' stream now",
    );
    await expect(set(both)).rejects.toThrow(`1 of '${both}' stream now`);

    await bed.cluster.stop("srv159");
    await waitFor(async () => (await set("", ["srv129", "srv159"]).catch(() => null)) !== null);
    expect(await marked()).toBe(both);
    // Told twice: nothing changes.
    expect(await set("", ["srv129", "srv159"])).toBe("synchronous_standby_names is ''");
    expect(await marked()).toBe(both);

    await bed.cluster.start("srv129");
    await streams("srv129");
    await set("1 (srv129, srv159)");
    expect(await marked()).toBe(both);
    await bed.cluster.start("srv159");
    await streams("srv159");
    await set(both);
    expect(await marked()).toBeNull();
  });

  test("who comes back at the last moment is waited for", async () => {
    await set(both);
    await bed.cluster.stop("srv129");
    const gone = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'srv129'";
    await waitFor(async () => (await bed.cluster.sql("srv127", gone)).length === 0, {
      what: "the walsender of srv129 to end",
    });
    const host = await look();
    const mark: GuardHost["mark"] = async (changed) => {
      await host.mark(changed);
      if (changed.synchronousBefore === null) return;
      await bed.cluster.start("srv129");
      await streams("srv129");
    };
    const names = "1 (srv129, srv159)";
    await expect(
      synchronous({ do: "synchronous", names, notPromotable: ["srv129"] }, { ...host, mark }),
    ).rejects.toThrow("2 of '2 (srv129, srv159)' stream now");
    expect(await bed.cluster.sql("srv127", "SHOW synchronous_standby_names")).toEqual([
      { synchronous_standby_names: both },
    ]);
    expect(await marked()).toBeNull();
  });
});
