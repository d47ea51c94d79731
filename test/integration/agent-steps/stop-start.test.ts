import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StepContext } from "#agent/ports.ts";
import { restartDatabase } from "#agent/steps/restart-database.ts";
import { readControl } from "#agent/steps/read-control.ts";
import { startPrimary } from "#agent/steps/start-primary.ts";
import { stopDatabase } from "#agent/steps/stop-database.ts";
import { fenceDirectory } from "#agent/guard/steps/write-standby-marker.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "#test/integration/agent-guard/guard-bed.ts";
import { runStep } from "./run-step.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];
const stallMs = 30_000;

describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 86 + lanes.findIndex(([, known]) => known === lane));
    await bed.cluster.sql("srv127", "CREATE TABLE kept AS SELECT 1 AS id");
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const agent = async (node: string): Promise<StepContext> => {
    const host = await bed.host(node);
    const asked = { operationId: "op-abcdefgh", stepId: "test", progress: () => undefined };
    return { ...host, ...asked, guardView: () => host.view };
  };
  const takesWrites = async (node: string): Promise<boolean> => {
    const [row] = await bed.cluster.sql(node, "SELECT pg_is_in_recovery() AS standby");
    return row?.["standby"] === false;
  };
  const streams = (node: string) =>
    waitFor(async () => (await bed.upstreamOf(node)) === "streams from srv127");

  test("the primary, then a standby that has its last record; both stay marked, and both are taken back", async () => {
    const primary = await agent("srv127");
    const standby = await agent("srv129");
    await streams("srv129");
    const { shutdown } = await runStep(stopDatabase, { replayed: null, stallMs }, primary);
    const args = { replayed: shutdown.checkpoint, stallMs };
    expect(await runStep(stopDatabase, args, standby)).toMatchObject({ shutdown });
    expect(await runStep(stopDatabase, args, standby)).toMatchObject({ alreadyDone: true, shutdown }); // prettier-ignore
    for (const one of [primary, standby]) expect(one.guardMarks.current().stopped).not.toBeNull();
    expect(await readControl.verify({}, primary)).toMatchObject({
      state: "shut down",
      ...shutdown,
    });
    expect(await readControl.verify({}, standby)).toMatchObject({ state: "shut down in recovery" });

    await stopDatabase.undo({ replayed: null, stallMs }, primary);
    await stopDatabase.undo(args, standby);
    await streams("srv129");
    expect([await takesWrites("srv127"), await takesWrites("srv129")]).toEqual([true, false]);
    for (const one of [primary, standby]) expect(one.guardMarks.current().stopped).toBeNull();
    expect((await stopDatabase.undo(args, standby)).lines).toEqual(["this operation stopped no database here"]); // prettier-ignore
  });

  test("a standby that will never have the record is not stopped", async () => {
    const standby = await agent("srv159");
    const args = { replayed: "FF/0", stallMs: 500 };
    await expect(runStep(stopDatabase, args, standby)).rejects.toThrow("the rest of the primary's WAL"); // prettier-ignore
    expect(await bed.cluster.isRunning("srv159")).toBe(true);
    await stopDatabase.undo(args, standby);
    expect(standby.guardMarks.current().stopped).toBeNull();
  });

  test("a primary is started on the timeline that was stopped alone, over a fence of the guard's, and back again", async () => {
    const primary = await agent("srv127");
    await runStep(stopDatabase, { replayed: null, stallMs }, primary);
    await expect(runStep(startPrimary, { timeline: 2, stallMs }, primary)).rejects.toThrow("it is not the primary of timeline 2"); // prettier-ignore
    // As the fence of a boot leaves it.
    await fenceDirectory({ ...primary, mark: (marks) => primary.guardMarks.mark(marks) });
    await runStep(startPrimary, { timeline: 1, stallMs }, primary);
    expect(await takesWrites("srv127")).toBe(true);
    expect(primary.guardMarks.current()).toMatchObject({ fencedAt: null, stopped: null, restartingSince: null }); // prettier-ignore
    expect(await runStep(startPrimary, { timeline: 1, stallMs }, primary)).toMatchObject({ alreadyDone: true }); // prettier-ignore

    await startPrimary.undo({ timeline: 1, stallMs }, primary);
    expect(await bed.cluster.isRunning("srv127")).toBe(false);
    const again = primary.guardMarks.current();
    expect([again.fencedAt, again.stopped]).toEqual([expect.anything(), expect.anything()]);
    await runStep(startPrimary, { timeline: 1, stallMs }, primary);
    await bed.cluster.sql("srv127", "INSERT INTO kept VALUES (2)");
  });

  test("a restart is one new server in the same role, however often it is asked for", async () => {
    for (const [node, role] of [
      ["srv129", "standby"],
      ["srv127", "primary"],
    ] as const) {
      const one = await agent(node);
      const pid = async () => (await bed.cluster.sql(node, "SELECT pg_postmaster_start_time()::text AS at"))[0]?.["at"]; // prettier-ignore
      const before = await pid();
      await runStep(restartDatabase, { role, stallMs }, one);
      const after = await pid();
      expect(after).not.toBe(before);
      expect(await runStep(restartDatabase, { role, stallMs }, one)).toMatchObject({ alreadyDone: true }); // prettier-ignore
      expect(await pid()).toBe(after);
      expect(await takesWrites(node)).toBe(role === "primary");
      expect(one.guardMarks.current().restartingSince).toBeNull();
    }
    const standby = await agent("srv159");
    await expect(runStep(restartDatabase, { role: "primary", stallMs }, standby)).rejects.toThrow("is no primary"); // prettier-ignore
  });
});
