import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StepContext } from "#agent/ports.ts";
import { demote } from "#agent/steps/demote.ts";
import { follow } from "#agent/steps/follow.ts";
import { asGuardStep } from "#agent/steps/as-guard-step.ts";
import { forgetEdits, notedEdits, notingFiles } from "#agent/steps/noted-edits.ts";
import { hashOf } from "#agent/steps/own-file.ts";
import { putShield } from "#agent/guard/read-only-shield.ts";
import { promote } from "#agent/steps/promote.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "#test/integration/agent-guard/guard-bed.ts";
import { runStep } from "./run-step.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  // Its package has the control file's reader; that of plain PostgreSQL 10 has none.
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];
const stallMs = 30_000;

describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 40 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const agent = async (node: string): Promise<StepContext> => {
    const host = await bed.host(node);
    const asked = { operationId: "op-abcdefgh", stepId: "test", progress: () => undefined };
    return { ...host, ...asked, guardView: () => host.view };
  };
  const allStreamFrom = async (primary: string, ...nodes: readonly string[]): Promise<void> => {
    for (const node of nodes) {
      await waitFor(async () => (await bed.upstreamOf(node)) === `streams from ${primary}`);
    }
  };
  const to = (node: string) => {
    const { address: host, port } = bed.cluster.node(node);
    return { node, host, port };
  };
  const rows = async (node: string): Promise<unknown> =>
    (await bed.cluster.sql(node, "SELECT count(*)::int AS n FROM handed_over"))[0]?.["n"];

  test("a primary that was demoted and shall be one after all takes writes again, on its timeline", async () => {
    await bed.cluster.sql("srv127", "CREATE TABLE handed_over AS SELECT 1 AS id");
    const old = await agent("srv127");
    const { shutdown } = await runStep(demote, { stallMs }, old);
    expect(shutdown.timeline).toBe(1);
    expect(await bed.cluster.isRunning("srv127")).toBe(false);
    expect(old.guardMarks.current().fencedAt).not.toBeNull();
    // Told again, nothing happens, and the answer is the same.
    expect(await runStep(demote, { stallMs }, old)).toMatchObject({ alreadyDone: true, shutdown });

    // A guard that looked at the primary while it still ran, fenced already, takes it for one that was opened since.
    await old.guardMarks.mark({ fencedAt: null });
    const marker = `${old.settings.paths.dataDirectory}/${lane.product === "postgresql" ? "standby.signal" : "recovery.conf"}`; // prettier-ignore
    const gone = [{ path: marker, hash: null }];
    expect((await demote.undo({ stallMs }, old)).files).toEqual(gone);
    expect(await old.ledger.list("")).toEqual([]);
    await bed.cluster.sql("srv127", "INSERT INTO handed_over VALUES (2)");
    expect(old.guardMarks.current()).toMatchObject({ fencedAt: null, shieldedAt: null });
    // Its first answer may have been lost.
    expect(await demote.undo({ stallMs }, old)).toMatchObject({ lines: ["this operation demoted nobody here"], files: gone }); // prettier-ignore
  });

  test("an undone demotion that is cut off while it opens the server opens it when it is told again", async () => {
    const old = await agent("srv127");
    const marker = `${old.settings.paths.dataDirectory}/${lane.product === "postgresql" ? "standby.signal" : "recovery.conf"}`; // prettier-ignore
    await runStep(demote, { stallMs }, old);
    // Its marker is gone already, and the server not started yet.
    await old.guardMarks.mark({ restartingSince: old.clock.now() });
    await old.files.remove(marker);
    await demote.undo({ stallMs }, old);
    await bed.cluster.sql("srv127", "INSERT INTO handed_over VALUES (4)");

    // It takes no write yet.
    await runStep(demote, { stallMs }, old);
    await bed.cluster.start("srv127");
    await putShield(asGuardStep(old));
    await bed.cluster.stop("srv127");
    await old.files.remove(marker);
    await bed.cluster.start("srv127");
    await old.guardMarks.mark({ restartingSince: old.clock.now() });
    await demote.undo({ stallMs }, old);
    await bed.cluster.sql("srv127", "DELETE FROM handed_over WHERE id = 4");
    expect(old.guardMarks.current()).toMatchObject({ fencedAt: null, restartingSince: null, shieldedAt: null }); // prettier-ignore
  });

  test("a file that a step edits is noted before it is edited", async () => {
    const old = await agent("srv127");
    const full = { ...old.files, replace: () => Promise.reject(new Error("the disk is full")) };
    const path = `${old.settings.paths.dataDirectory}/noted`;
    await expect(notingFiles({ ...old, files: full }).replace(path, "")).rejects.toThrow("full");
    expect(await notedEdits(old)).toEqual([{ path, from: null, hash: hashOf("") }]);
    await forgetEdits(old);
  });

  test("a standby is not demoted, and a primary not promoted", async () => {
    await expect(runStep(demote, { stallMs }, await agent("srv129"))).rejects.toThrow("srv129 is a standby"); // prettier-ignore
    const args = { timeline: 1, replayed: null, stallMs };
    await expect(runStep(promote, args, await agent("srv127"))).rejects.toThrow("srv127 is the primary of timeline 1 already"); // prettier-ignore
  });

  test("a promotion that was asked for is not taken back, whether it has come yet or not", async () => {
    await allStreamFrom("srv127", "srv129");
    const args = { timeline: 1, replayed: null, stallMs };
    const standby = await agent("srv129");
    expect((await promote.undo(args, standby)).lines).toEqual(["it is a standby, as before"]);
    const ended = {
      exitCode: 0,
      signal: null,
      stdout: "",
      stderr: [],
      durationMs: 1,
      timedOut: false,
    };
    const unheard = { ...standby, programs: { ...standby.programs, run: () => Promise.resolve(ended) } }; // prettier-ignore
    await promote.apply(args, unheard);
    await expect(promote.undo(args, standby)).rejects.toMatchObject({ code: "PAST_RETURN" });
  });

  test("the successor has the very last record, and everybody follows it, the former primary without a rewind", async () => {
    await allStreamFrom("srv127", "srv129", "srv159");
    const old = await agent("srv127");
    const { shutdown } = await runStep(demote, { stallMs }, old);
    const successor = await agent("srv129");
    const args = { timeline: shutdown.timeline, replayed: shutdown.checkpoint, stallMs };
    expect(await runStep(promote, args, successor)).toMatchObject({ timeline: 2 });
    expect(await runStep(promote, args, successor)).toMatchObject({ alreadyDone: true });
    await expect(promote.undo(args, successor)).rejects.toThrow("srv129 was told to lead");
    await bed.cluster.sql("srv129", "INSERT INTO handed_over VALUES (3)");

    await runStep(follow, to("srv129"), await agent("srv159"));
    await runStep(follow, to("srv129"), old);
    await allStreamFrom("srv129", "srv127", "srv159");
    expect(await runStep(follow, to("srv129"), old)).toMatchObject({ alreadyDone: true });
    expect(await rows("srv129")).toBe(3);
    expect(old.guardMarks.current()).toMatchObject({ fencedAt: null, wasPrimary: null });
    // Nobody opens what follows another one by now.
    await expect(demote.undo({ stallMs, isSole: true }, old)).rejects.toThrow();
  });
});
