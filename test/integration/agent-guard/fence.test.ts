import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fence } from "#agent/fence.ts";
import { openAsPrimary } from "#agent/guard/steps/open-as-primary.ts";
import { noMarks, type GuardMarks } from "#agent/decide/view.ts";
import { asFailure } from "#shared/errors.ts";
import { readSmallFile } from "#agent/adapters/local-system.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { parseLsn } from "#shared/domain/lsn.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed, type GuardHost } from "./guard-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 50 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });

  const isInRecovery = async (node: string): Promise<unknown> =>
    (await bed.cluster.sql(node, "SELECT pg_is_in_recovery() AS r"))[0]?.["r"];
  const write = (text: string): Promise<unknown> =>
    bed.cluster.sql("srv127", `INSERT INTO ledger (id, note) SELECT max(id) + 1, '${text}' FROM ledger`); // prettier-ignore
  const timeline = async (): Promise<unknown> =>
    (await bed.cluster.sql("srv127", "SELECT timeline_id AS t FROM pg_control_checkpoint()"))[0]?.[
      "t"
    ];
  const follow = async (node: string): Promise<unknown> =>
    waitFor(async () => (await bed.upstreamOf(node)) === "streams from srv127", {
      what: `${node} to follow`,
    });
  /** As its agent sees it once it runs, with these marks. */
  const seen = async (marks: Partial<GuardMarks>): Promise<GuardHost> => {
    const host = await bed.host("srv127");
    const view = { ...host.view, marks: { ...noMarks, ...marks } };
    return Object.defineProperty({ ...host, view }, "marks", { get: () => host.marks });
  };
  /** Started, and all of its own WAL replayed. */
  const startFenced = async (): Promise<void> => {
    const { settings } = await bed.host("srv127");
    expect(await fence(settings)).toContain("it was a primary");
    await bed.cluster.start("srv127");
    await waitFor(async () => (await replayed("srv127")) >= (await replayed("srv129")), {
      what: "the end of its own WAL",
    });
  };
  const replayed = async (node: string): Promise<bigint> =>
    parseLsn(String((await bed.cluster.sql(node, "SELECT pg_last_wal_replay_lsn()::text AS l"))[0]?.["l"])) ?? 0n; // prettier-ignore
  const thisBoot = async (): Promise<string | null> =>
    (await readSmallFile("/proc/sys/kernel/random/boot_id"))?.trim() ?? null;
  const marker = (): string => {
    const { paths } = bed.cluster.node("srv127");
    return `${paths.dataDir}/${bed.cluster.lane.usesRecoveryConf ? "recovery.conf" : "standby.signal"}`;
  };

  test("nothing is written while the guard observes, while a server runs, or where no primary was", async () => {
    const { cluster } = bed;
    const host = await bed.host("srv127");
    const place = cluster.node("srv127").host;
    expect(await fence(host.settings)).toContain("its server runs");
    await cluster.stop("srv127", "immediate");
    await host.guardMarks.mark({ wasPrimary: { at: 1, timeline: 1 } });
    expect(await fence(host.settings)).toContain("the guard is not in charge of this host");
    await host.guardModes.setMode("enforce", "test");
    await host.guardMarks.mark({ wasPrimary: null });
    expect(await fence(host.settings)).toContain("no primary was ever seen in it");
    await host.guardMarks.mark({ wasPrimary: { at: 1, timeline: 1 }, restartingSince: Date.now(), ranInBoot: await thisBoot() }); // prettier-ignore
    expect(await fence(host.settings)).toContain("the guard opens it as the primary that it still is"); // prettier-ignore
    await place.writeFile(`${cluster.node("srv127").paths.dataDir}/${incompleteMarker}`, "");
    await expect(fence(host.settings)).rejects.toThrow("it is a copy that was never finished");
    await place.exec(["rm", `${cluster.node("srv127").paths.dataDir}/${incompleteMarker}`]);
    expect(place.exists(marker())).toBe(false);

    // Its recovery in single-user mode was cut off, and the guard was told to observe since.
    await host.guardModes.setMode("observe", "test");
    await place.writeFile(`${marker()}.castellan`, "standby_mode = 'on'\n", { owner: bed.cluster.lane.osUser }); // prettier-ignore
    expect(await fence(host.settings)).toContain("it starts as a standby");
    expect(place.exists(`${marker()}.castellan`)).toBe(false);
    await place.exec(["rm", marker()]);
    await host.guardModes.setMode("enforce", "test");
  });

  test("where it is not known any more who is in charge, a former primary is fenced too", async () => {
    const { settings, guardMarks } = await bed.host("srv127");
    await guardMarks.mark({ restartingSince: null });
    const mode = join(settings.stateDirectory, "guard-mode.json");
    const said = await readFile(mode);
    await writeFile(mode, said.subarray(0, 10));
    const answer = await fence(settings);
    await writeFile(mode, said);
    expect(answer).toContain("it was a primary");
    await bed.cluster.node("srv127").host.exec(["rm", marker()]);
    await (await bed.host("srv127")).guardMarks.mark({ fencedAt: null });
  });

  test("a former primary that shall recover to a point in time does not open at its boot", async () => {
    const { settings } = await bed.host("srv127");
    const { host: machine, paths } = bed.cluster.node("srv127");
    const { usesRecoveryConf, osUser } = bed.cluster.lane;
    const file = `${paths.dataDir}/${usesRecoveryConf ? "recovery.conf" : "recovery.signal"}`;
    const text = usesRecoveryConf ? "restore_command = '/bin/false'\n" : "";
    await machine.writeFile(file, text, { owner: osUser });
    if (usesRecoveryConf) {
      await expect(fence(settings)).rejects.toThrow("recovery.conf recovers to a point in time");
    } else {
      // Beside recovery.signal it is the one that counts.
      expect(await fence(settings)).toContain("standby.signal written");
      await machine.exec(["rm", marker()]);
    }
    expect(await machine.readFile(file)).toBe(text);
    await machine.exec(["rm", file]);
    await (await bed.host("srv127")).guardMarks.mark({ fencedAt: null });
  });

  test("a former primary that was killed comes up read-only whoever starts it, with maintenance over enforce too", async () => {
    const { cluster } = bed;
    const host = await bed.host("srv127");
    // It was cut off by the end of the host, whose clock is back where it was then.
    await host.guardMarks.mark({ restartingSince: Date.now(), ranInBoot: "another boot" });
    await host.guardModes.beginMaintenance({ forMs: 60_000, by: "test", note: null });
    await startFenced();
    await cluster.stop("srv127");
    expect(await fence(host.settings)).toContain("it starts as a standby");
    await cluster.start("srv127");
    expect(await isInRecovery("srv127")).toBe(true);
    await expect(write("must not be taken")).rejects.toThrow(/read-only transaction/);
    expect((await bed.host("srv127")).guardMarks.current().fencedAt).not.toBeNull();
  });

  test("with every other node seen it opens on its timeline, the others follow it again, and it takes writes", async () => {
    const before = await timeline();
    await expect(openAsPrimary({ do: "open-as-primary" }, await seen({}))).rejects.toThrow(
      "its standby marker is not the guard's",
    );
    expect(await isInRecovery("srv127")).toBe(true);
    const host = await seen({ fencedAt: 1 });
    expect(await openAsPrimary({ do: "open-as-primary" }, host)).toContain(
      "answers as the primary",
    );
    expect(await isInRecovery("srv127")).toBe(false);
    expect(await timeline()).toBe(before);
    await write("after it was opened");
    for (const node of ["srv129", "srv159"]) await follow(node);
    expect(host.marks).toMatchObject({ fencedAt: null, restartingSince: null });
    const again = await seen({ fencedAt: 1 });
    expect(await openAsPrimary({ do: "open-as-primary" }, again)).toContain("answers");
  });

  test("it stays a standby while one of the others is not seen, and opens by a person's word", async () => {
    const { cluster } = bed;
    await cluster.stop("srv159");
    await cluster.stop("srv127", "immediate");
    const { guardMarks } = await bed.host("srv127");
    // It was opened an hour ago, and that never came to its end.
    await guardMarks.mark({ restartingSince: Date.now() - 3_600_000, ranInBoot: await thisBoot() });
    await startFenced();
    const step = { do: "open-as-primary" } as const;
    await expect(openAsPrimary(step, await seen({ fencedAt: 1 }))).rejects.toThrow(
      "the database of srv159: refused",
    );
    const stale = { fencedAt: 1, confirmedAt: Date.now() - 3_600_000 };
    await expect(openAsPrimary(step, await seen(stale))).rejects.toThrow("srv159");
    const confirmed = { fencedAt: 1, confirmedAt: Date.now() };
    await openAsPrimary(step, await seen(confirmed));
    expect(await isInRecovery("srv127")).toBe(false);
    await cluster.start("srv159");
    await follow("srv159");
  });

  test("a node that is promoted while it is opened finds no second primary: it took no write, and is a standby again", async () => {
    const { cluster } = bed;
    await cluster.stop("srv127", "immediate");
    await startFenced();
    const host = await seen({ fencedAt: 1 });
    const opening = openAsPrimary({ do: "open-as-primary" }, host).catch(asFailure);
    await waitFor(async () => (await isInRecovery("srv127").catch(() => true)) === false, {
      intervalMs: 20,
      what: "srv127 to open",
    });
    await expect(write("must not be taken")).rejects.toThrow(/read-only transaction/);
    await bed.promote("srv129");
    expect(await opening).toMatchObject({
      message: expect.stringContaining("srv129 is a primary"),
    });
    expect(await isInRecovery("srv127")).toBe(true);
    const [shield] = await cluster.sql("srv127", "SHOW default_transaction_read_only");
    expect(Object.values(shield ?? {})).toEqual(["off"]);
    expect(host.marks.restartingSince).toBeNull();
  });

  test("where another node was promoted it stays a standby, whoever says what", async () => {
    const confirmed = await seen({ fencedAt: 1, confirmedAt: Date.now() });
    await expect(openAsPrimary({ do: "open-as-primary" }, confirmed)).rejects.toThrow(
      "srv129 is a primary",
    );
    expect(await isInRecovery("srv127")).toBe(true);
    expect(confirmed.marks.confirmedAt).toBeNull();
  });
});
