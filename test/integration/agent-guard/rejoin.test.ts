import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repoint } from "#agent/guard/steps/repoint.ts";
import { stopDatabase } from "#agent/guard/steps/stop-database.ts";
import { rejoin } from "#agent/guard/steps/rejoin.ts";
import { writeStandbyMarker } from "#agent/guard/steps/write-standby-marker.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "./guard-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 15", { product: "kingbase-v8r3", version: 15 }],
];

describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 30 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const stepTo = (node: string) => {
    const { address: host, port } = bed.cluster.node(node);
    return { do: "rejoin" as const, node, host, port };
  };
  const ids = async (node: string): Promise<readonly unknown[]> =>
    (await bed.cluster.sql(node, "SELECT id FROM ledger WHERE id > 0 ORDER BY 1")).map(({ id }) => Number(id)); // prettier-ignore

  test("an old primary that was killed is rewound behind a standby marker, its lone rows are kept as WAL, and it keeps its own files", async () => {
    const { cluster } = bed;
    await cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'on all')");
    await cluster.sql("srv127", "SELECT pg_create_physical_replication_slot('archive', true)");
    await waitFor(async () => (await ids("srv129")).length === 1);
    await cluster.stop("srv129");
    await cluster.stop("srv159");
    await cluster.sql("srv127", "INSERT INTO ledger VALUES (2, 'on nobody else')");
    await cluster.stop("srv127", "immediate");
    await cluster.start("srv129");
    await bed.promote("srv129");
    await cluster.sql("srv129", "INSERT INTO ledger VALUES (3, 'of the new one')");
    const { host: machine, paths } = cluster.node("srv127");
    const conf = await machine.readFile(paths.configFile);
    const key = `${paths.dataDir}/server.key`;
    await machine.writeFile(key, "of srv127 alone");

    const host = await bed.host("srv127");
    await writeStandbyMarker({ do: "write-standby-marker" }, host);
    const said = await rejoin(stepTo("srv129"), host);

    expect(said).toContain("bytes of WAL that it has not are kept in");
    expect(await bed.upstreamOf("srv127")).toBe("streams from srv129");
    await waitFor(async () => (await ids("srv127")).join() === "1,3", {
      what: "the new one's rows",
    });
    expect(await machine.readFile(paths.configFile)).toBe(conf);
    expect(await machine.readFile(key)).toBe("of srv127 alone");
    const kept = `${host.settings.stateDirectory}/diverged-wal`;
    const { stdout } = await machine.exec(["find", kept, "-type", "f"]);
    const [segment = ""] = stdout.split("\n");
    const dump = await machine.exec(["/usr/lib/postgresql/15/bin/pg_waldump", segment], { reject: false }); // prettier-ignore
    expect(dump.stdout).toContain("COMMIT");
    const slots = await cluster.sql("srv127", "SELECT slot_name::text AS name, restart_lsn FROM pg_replication_slots ORDER BY 1"); // prettier-ignore
    expect(slots).toEqual([
      { name: "archive", restart_lsn: null },
      { name: "slot_srv129", restart_lsn: null },
      { name: "slot_srv159", restart_lsn: null },
    ]);
    expect(host.marks).toMatchObject({ rejoiningSince: null, needsRebuild: null, fencedAt: null });
  });

  test("one whose WAL is a beginning of the new primary's follows without a rewind", async () => {
    const { cluster } = bed;
    const host = await bed.host("srv159");
    expect(await rejoin(stepTo("srv129"), host)).toContain("nothing to rewind");
    expect(await bed.upstreamOf("srv159")).toBe("streams from srv129");
    expect(await cluster.isRunning("srv159")).toBe(true);
  });

  test("a standby that received more than the new primary is not led there, and comes back by a rewind", async () => {
    const { cluster } = bed;
    // srv129 is the primary, the others stream from it.
    await cluster.stop("srv127");
    await cluster.sql("srv129", "INSERT INTO ledger VALUES (4, 'on srv129 and srv159')");
    await waitFor(async () => (await ids("srv159")).includes(4));
    await cluster.stop("srv129", "immediate");
    await cluster.start("srv127");
    await bed.promote("srv127");
    const host = await bed.host("srv159");
    await expect(repoint({ ...stepTo("srv127"), do: "repoint" }, host)).rejects.toThrow(
      "this standby can't follow srv127 as it is: timeline 2 was left at",
    );
    expect(host.marks.diverged).toMatchObject({ timeline: 3 });
    expect(await bed.upstreamOf("srv159")).toBe("does not stream");

    await stopDatabase({ do: "stop-database", mode: "fast" }, host);
    expect(await rejoin(stepTo("srv127"), await bed.host("srv159"))).toContain("are kept in");
    expect(await bed.upstreamOf("srv159")).toBe("streams from srv127");
    await waitFor(async () => (await ids("srv159")).join() === "1,3", {
      what: "the row to be gone",
    });
    expect((await bed.host("srv159")).marks.diverged).toBeNull();
  });
});
