import { join } from "node:path";
import { baseBackup } from "#agent/steps/base-backup.ts";
import { createSlot } from "#agent/steps/create-slot.ts";
import { openHba } from "#agent/steps/open-hba.ts";
import { placeDataDirectory } from "#agent/steps/place-data-directory.ts";
import { startDatabase } from "#agent/steps/start-database.ts";
import { writeNodeFiles } from "#agent/steps/write-node-files.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { runStep } from "./run-step.ts";
import type { StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

/** The arguments that a plan for `n2` would hold. */
export async function standbyArgs(lab: StepLab) {
  const { n1, n2 } = lab;
  const identifier = await lab.sql(n1.port, "SELECT system_identifier FROM pg_control_system()");
  const stagingDirectory = join(lab.folder, "n2", "data.castellan");
  const { dataDirectory } = n2.paths;
  const rule = { type: "host", address: "127.0.0.1/32", method: "scram-sha-256" } as const;
  const hba: CommandArgs<"open-hba"> = {
    file: n1.paths.hbaFile,
    rules: [{ ...rule, database: "replication", user: "replicator" }],
  };
  const slot: CommandArgs<"create-slot"> = {
    slot: n2.slot,
    forNode: "n2",
    reserve: true,
    walBudgetBytes: 1e9,
  };
  const backup: CommandArgs<"base-backup"> = {
    source: lab.source,
    slot: n2.slot,
    slotHolder: lab.upstream,
    stagingDirectory,
    dataDirectory,
    tablespaces: [],
    maxRateBytesPerSecond: null,
    expectedBytes: 30e6,
    stallMs: 10_000,
    systemIdentifier: identifier,
  };
  const files: CommandArgs<"write-node-files"> = {
    cluster: lab.cluster,
    node: n2,
    upstream: lab.upstream,
    stagingDirectory,
    settings: [{ name: "port", value: String(n2.port) }],
    hbaRules: hba.rules,
    outsideFiles: [],
    haModule: null,
    directories: [],
  };
  const place = { stagingDirectory, dataDirectory };
  const start = { dataDirectory, stallMs: 10_000 };
  const streaming: CommandArgs<"prove-streaming"> = {
    upstream: lab.upstream,
    applicationName: "n2",
    slot: n2.slot,
    lagLimitBytes: 16 * 1024 * 1024,
    stallMs: 10_000,
  };
  return { hba, slot, backup, files, place, start, streaming };
}
export type StandbyArgs = Awaited<ReturnType<typeof standbyArgs>>;

/** Everything up to a running standby. */
export async function addStandby(
  args: StandbyArgs,
  primary: TestAgent,
  target: TestAgent,
): Promise<void> {
  await runStep(openHba, args.hba, primary);
  await runStep(createSlot, args.slot, primary);
  await runStep(baseBackup, args.backup, target);
  await runStep(writeNodeFiles, args.files, target);
  await runStep(placeDataDirectory, args.place, target);
  await runStep(startDatabase, args.start, target);
}

/** Undo of all that, in reverse order. */
export async function removeStandby(
  args: StandbyArgs,
  primary: TestAgent,
  target: TestAgent,
): Promise<readonly string[]> {
  const answers = [
    await startDatabase.undo(args.start, target),
    await placeDataDirectory.undo(args.place, target),
    await writeNodeFiles.undo(args.files, target),
    await baseBackup.undo(args.backup, target),
    await createSlot.undo(args.slot, primary),
    await openHba.undo(args.hba, primary),
  ];
  return answers.flatMap((answer) => answer.lines);
}
