import { stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StepContext } from "#agent/ports.ts";
import { baseBackup } from "#agent/steps/base-backup.ts";
import { dropOldDirectory } from "#agent/steps/drop-old-directory.ts";
import { keepOwnFiles } from "#agent/steps/keep-own-files.ts";
import { remakeSlots } from "#agent/steps/remake-slots.ts";
import { renewSlot } from "#agent/steps/renew-slot.ts";
import { startDatabase } from "#agent/steps/start-database.ts";
import { stopStandby } from "#agent/steps/stop-standby.ts";
import { swapDataDirectory } from "#agent/steps/swap-data-directory.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
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
    bed = await createGuardBed(lane, 74 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const agent = async (node: string): Promise<StepContext> => {
    const host = await bed.host(node);
    const asked = { operationId: "op-abcdefgh", stepId: "test", progress: () => undefined };
    return { ...host, ...asked, guardView: () => host.view };
  };
  const slot = async (name: string): Promise<string> => {
    const [row] = await bed.cluster.sql("srv127", "SELECT restart_lsn IS NOT NULL AS holds FROM pg_replication_slots WHERE slot_name = $1", [name]); // prettier-ignore
    return row === undefined ? "missing" : row["holds"] === true ? "holds WAL" : "holds nothing";
  };
  const streams = (): Promise<unknown> =>
    waitFor(async () => (await bed.upstreamOf("srv129").catch(() => "")) === "streams from srv127");
  const places = () => {
    const { dataDir } = bed.cluster.node("srv129").paths;
    return { data: dataDir, copy: `${dataDir}.castellan-copy`, old: `${dataDir}.castellan-old` };
  };
  const inode = async (path: string): Promise<number | null> =>
    stat(path).then(
      ({ ino }) => ino,
      () => null,
    );
  const argsOf = async () => {
    const { address: host, port } = bed.cluster.node("srv127");
    const { superuser: user, database, replicationUser } = bed.cluster.lane;
    const [control] = await bed.cluster.sql("srv127", "SELECT system_identifier::text AS id FROM pg_control_system()"); // prettier-ignore
    const upstream = { node: "srv127", host, port, user, database };
    const backup: CommandArgs<"base-backup"> = {
      source: { ...upstream, user: replicationUser },
      slot: null,
      slotHolder: upstream,
      stagingDirectory: places().copy,
      dataDirectory: places().data,
      tablespaces: [],
      maxRateBytesPerSecond: null,
      expectedBytes: 30e6,
      stallMs,
      systemIdentifier: String(control?.["id"]),
      besideOld: true,
    };
    const own: CommandArgs<"keep-own-files"> = {
      upstream: { node: "srv127", host, port },
      accepted: [],
      settings: [],
      hbaRules: [],
    };
    return { backup, own, start: { dataDirectory: places().data, stallMs } };
  };

  test("a slot that holds WAL is left alone; any other is made anew, and is as before after an undo", async () => {
    const primary = await agent("srv127");
    const asked = { forNode: "srv129", walBudgetBytes: 1e9 };
    expect(await runStep(renewSlot, { slot: "slot_srv129", ...asked }, primary)).toMatchObject({ alreadyDone: true }); // prettier-ignore

    await bed.cluster.sql("srv127", "SELECT pg_create_physical_replication_slot('unused')");
    const former = { operationId: "op-before", at: 1, facts: { forNode: "srv129" } };
    await primary.ledger.put("slot:unused", former);
    for (const [name, before] of [
      ["unused", "holds nothing"],
      ["missing", "missing"],
    ] as const) {
      // prettier-ignore
      const args = { slot: name, ...asked };
      await runStep(renewSlot, args, primary);
      expect(await slot(name)).toBe("holds WAL");
      await runStep(renewSlot, args, primary);
      await renewSlot.undo(args, primary);
      await renewSlot.undo(args, primary);
      expect(await slot(name)).toBe(before);
    }
    expect(await primary.ledger.get("slot:unused")).toMatchObject({ operationId: "op-before" });
    expect(await primary.ledger.list("renewed:")).toEqual([]);
    await bed.cluster.sql("srv127", "SELECT pg_drop_replication_slot('unused')");
  });

  test("a primary is not stopped, and a standby runs again after an undo if it ran before", async () => {
    await expect(runStep(stopStandby, { stallMs }, await agent("srv127"))).rejects.toMatchObject({ code: "REFUSED" }); // prettier-ignore
    expect(await bed.cluster.isRunning("srv127")).toBe(true);
    const standby = await agent("srv129");
    await runStep(stopStandby, { stallMs }, standby);
    expect(await bed.cluster.isRunning("srv129")).toBe(false);
    await stopStandby.undo({ stallMs }, standby);
    await streams();
    await bed.cluster.stop("srv129");
    await runStep(stopStandby, { stallMs }, standby);
    await stopStandby.undo({ stallMs }, standby);
    expect(await bed.cluster.isRunning("srv129")).toBe(false);
    await bed.cluster.start("srv129");
    await streams();
  });

  test("whatever is cut off, the swap goes on or back; after an undo the old data is what it was, with all that was known of it", async () => {
    const standby = await agent("srv129");
    const { backup, own, start } = await argsOf();
    const { copy, data, old } = places();
    const before = await inode(data);
    const known = { operationId: "op-before", at: 1, facts: { forNode: "srv127" } };
    await standby.ledger.put("slot:slot_srv127", known);
    const needsRebuild = { at: 1, because: "a test" };
    await standby.guardMarks.mark({ needsRebuild });
    await runStep(stopStandby, { stallMs }, standby);
    await runStep(baseBackup, backup, standby);
    await runStep(keepOwnFiles, own, standby);
    const made = await inode(copy);

    await expect(swapDataDirectory.apply({}, cutAfter(1, standby))).rejects.toThrow("cut off");
    expect([await inode(data), await inode(old), await inode(copy)]).toEqual([null, before, made]);
    expect(standby.guardMarks.current()).toMatchObject({ needsRebuild });
    await runStep(swapDataDirectory, {}, standby);
    expect([await inode(data), await inode(old), await inode(copy)]).toEqual([made, before, null]);
    expect(standby.guardMarks.current().needsRebuild).toBeNull();
    await runStep(startDatabase, start, standby);
    await streams();
    await runStep(remakeSlots, {}, standby);

    await startDatabase.undo(start, standby);
    await expect(swapDataDirectory.undo({}, cutAfter(1, standby))).rejects.toThrow("cut off");
    expect([await inode(data), await inode(old), await inode(copy)]).toEqual([null, before, made]);
    await expect(swapDataDirectory.undo({}, cutAfter(1, standby))).rejects.toThrow("cut off");
    expect(await inode(data)).toBe(before);
    // A former primary may be back, and nothing else may keep it from opening.
    expect(standby.guardMarks.current()).toMatchObject({ needsRebuild });
    await swapDataDirectory.undo({}, standby);
    await swapDataDirectory.undo({}, standby);
    await keepOwnFiles.undo(own, standby);
    await baseBackup.undo(backup, standby);
    await stopStandby.undo({ stallMs }, standby);
    expect([await inode(data), await inode(old), await inode(copy)]).toEqual([before, null, null]);
    expect(standby.guardMarks.current()).toMatchObject({ needsRebuild });
    expect(await standby.ledger.list("")).toEqual([{ key: "slot:slot_srv127", entry: known }]);
    await streams();
  });

  test("the old data goes when the copy is proved, and nothing of the rebuild stays", async () => {
    const standby = await agent("srv129");
    const { backup, own, start } = await argsOf();
    const { copy, data, old } = places();
    const before = await inode(data);
    await standby.files.replace(`${data}/of-this-node.key`, "secret\n", 0o600);
    await runStep(stopStandby, { stallMs }, standby);
    // As after a boot of the host: what it takes of its slot's WAL would be missing to the copy.
    await bed.cluster.start("srv129");
    await runStep(baseBackup, backup, standby);
    expect(await bed.cluster.isRunning("srv129")).toBe(false);
    await runStep(keepOwnFiles, own, standby);
    await runStep(swapDataDirectory, {}, standby);
    await runStep(startDatabase, start, standby);
    await streams();
    await runStep(remakeSlots, {}, standby);
    const made = await inode(data);
    expect(made).not.toBe(before);
    await runStep(dropOldDirectory, {}, standby);
    expect(await dropOldDirectory.check({}, standby)).not.toBeNull();
    expect([await inode(data), await inode(old), await inode(copy)]).toEqual([made, null, null]);
    expect(await inode(`${data}/${incompleteMarker}`)).toBeNull();
    expect((await standby.files.read(`${data}/of-this-node.key`))?.text).toBe("secret\n");
    for (const key of ["swapped:", "tree:", "backup:", "stopped"]) {
      expect(await standby.ledger.list(key)).toEqual([]);
    }
  });

  test("a directory in the way of the old data keeps the swap from its first rename", async () => {
    const standby = await agent("srv129");
    const { backup, own } = await argsOf();
    const { data, old } = places();
    const before = await inode(data);
    await runStep(stopStandby, { stallMs }, standby);
    await runStep(baseBackup, backup, standby);
    await runStep(keepOwnFiles, own, standby);
    await standby.files.makeDirectory(old, 0o700);
    await expect(runStep(swapDataDirectory, {}, standby)).rejects.toMatchObject({ code: "ALREADY_EXISTS" }); // prettier-ignore
    expect(await inode(data)).toBe(before);
    await standby.files.removeDirectory(old);
    await keepOwnFiles.undo(own, standby);
    await baseBackup.undo(backup, standby);
    await stopStandby.undo({ stallMs }, standby);
    await streams();
  });
});

/** As an agent that is killed right after so many renames. */
function cutAfter(renames: number, context: StepContext): StepContext {
  let done = 0;
  const rename = async (from: string, to: string): Promise<void> => {
    await context.files.rename(from, to);
    done += 1;
    if (done === renames) throw new Error("cut off");
  };
  return { ...context, files: { ...context.files, rename } };
}
