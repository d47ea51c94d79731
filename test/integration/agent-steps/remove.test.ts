import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StepContext } from "#agent/ports.ts";
import { deleteData } from "#agent/steps/delete-data.ts";
import { dropSlots } from "#agent/steps/drop-slots.ts";
import { removeEntries } from "#agent/steps/remove-entries.ts";
import { hbaMarker } from "#shared/config-files/hba-access.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
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
    bed = await createGuardBed(lane, 78 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const agent = async (node: string): Promise<StepContext> => {
    const host = await bed.host(node);
    const asked = { operationId: "op-abcdefgh", stepId: "test", progress: () => undefined };
    return { ...host, ...asked, guardView: () => host.view };
  };

  test("slots go, whoever streams through them, and are there again after an undo as they were", async () => {
    const primary = await agent("srv127");
    await bed.cluster.sql("srv127", "SELECT pg_create_physical_replication_slot('spare')");
    await bed.cluster.sql("srv127", "SELECT pg_create_physical_replication_slot('holding', true)");
    await primary.ledger.put("slot:holding", { operationId: "op-before", at: 1, facts: { forNode: "x" } }); // prettier-ignore
    const held = async (): Promise<readonly unknown[]> =>
      (await bed.cluster.sql("srv127", "SELECT slot_name::text AS name, restart_lsn IS NOT NULL AS holds FROM pg_replication_slots WHERE slot_name IN ('spare', 'holding') ORDER BY 1")) as readonly unknown[]; // prettier-ignore
    const args = { slots: ["spare", "holding", "missing"], stallMs };
    const before = await held();
    await runStep(dropSlots, args, primary);
    expect(await held()).toEqual([]);
    expect(await primary.ledger.get("slot:holding")).toBeNull();
    expect(await runStep(dropSlots, args, primary)).toMatchObject({ alreadyDone: true });
    await dropSlots.undo(args, primary);
    await dropSlots.undo(args, primary);
    expect(await held()).toEqual(before);
    expect(await primary.ledger.get("slot:holding")).toMatchObject({ operationId: "op-before" });
    expect(await primary.ledger.list("dropped:")).toEqual([]);
    for (const slot of ["spare", "holding"]) {
      await bed.cluster.sql("srv127", "SELECT pg_drop_replication_slot($1)", [slot]);
    }
  });

  test("lines go out of the hba file and come back byte for byte; a file that was edited since is left alone", async () => {
    const primary = await agent("srv127");
    const file = bed.cluster.node("srv127").paths.hbaFile;
    const found = await primary.files.read(file);
    if (found === null) throw new Error("no hba file");
    const text = `${found.text}host all nobody 10.9.9.9/32 md5\n# end`;
    await primary.files.replace(file, text);
    const args: CommandArgs<"remove-entries"> = {
      entries: [{ of: "hba", file, address: "10.9.9.9/32", users: ["nobody"] }],
      planned: [],
    };
    const { files } = await runStep(removeEntries, args, primary);
    expect(files.map(({ path }) => path)).toEqual([file]);
    expect((await primary.files.read(file))?.text).toBe(`${found.text}# end`);
    await removeEntries.undo(args, primary);
    await removeEntries.undo(args, primary);
    expect((await primary.files.read(file))?.text).toBe(text);

    await runStep(removeEntries, args, primary);
    await primary.files.replace(file, `${found.text}# a person's\n`);
    await expect(removeEntries.undo(args, primary)).rejects.toMatchObject({ code: "REFUSED" });
    expect((await primary.files.read(file))?.text).toBe(`${found.text}# a person's\n`);
    await primary.files.replace(file, found.text);
  });

  test("what an addition noted of its hba lines goes with them, and with no others", async () => {
    const primary = await agent("srv127");
    const file = bed.cluster.node("srv127").paths.hbaFile;
    const found = await primary.files.read(file);
    if (found === null) throw new Error("no hba file");
    const line = (id: string, address: string) => `# ${hbaMarker(id)}\nhost all nobody ${address} md5\n`; // prettier-ignore
    const stays = line("op-staysher", "10.9.9.8/32");
    await primary.files.replace(file, `${found.text}${line("op-goesaway", "10.9.9.9/32")}${stays}`);
    for (const operationId of ["op-goesaway", "op-staysher"]) {
      await primary.ledger.put(`hba:${file}#${operationId}`, { operationId, at: 1, facts: {} });
    }
    const args: CommandArgs<"remove-entries"> = {
      entries: [{ of: "hba", file, address: "10.9.9.9/32", users: ["nobody"] }],
      planned: [],
    };
    await runStep(removeEntries, args, primary);
    expect((await primary.files.read(file))?.text).toBe(`${found.text}${stays}`);
    const noted = await primary.ledger.list("hba:");
    expect(noted.map(({ key }) => key)).toEqual([`hba:${file}#op-staysher`]);
    await primary.files.replace(file, found.text);
  });

  test("the data of a primary, of a server that runs, and of another directory is not deleted; a stopped standby's is", async () => {
    const { dataDir: primaryData } = bed.cluster.node("srv127").paths;
    const { dataDir } = bed.cluster.node("srv129").paths;
    const refused = { code: "REFUSED" };
    const standby = await agent("srv129");
    await expect(runStep(deleteData, { dataDirectory: `${dataDir}/base` }, standby)).rejects.toMatchObject(refused); // prettier-ignore
    await expect(runStep(deleteData, { dataDirectory: dataDir }, standby)).rejects.toThrow();
    expect(await bed.cluster.isRunning("srv129")).toBe(true);
    await bed.cluster.stop("srv129");
    await runStep(deleteData, { dataDirectory: dataDir }, standby);
    expect(await standby.files.stat(dataDir)).toBeNull();
    expect(await standby.files.stat(`${dataDir}.castellan-old`)).toBeNull();
    expect(await standby.ledger.list("deleted:")).toEqual([]);
    const again = await runStep(deleteData, { dataDirectory: dataDir }, standby);
    expect(again.lines).toEqual([`${dataDir} is gone`]);

    await bed.cluster.stop("srv127");
    const primary = await agent("srv127");
    await expect(runStep(deleteData, { dataDirectory: primaryData }, primary)).rejects.toThrow();
    expect(await primary.files.stat(primaryData)).not.toBeNull();
  });
});
