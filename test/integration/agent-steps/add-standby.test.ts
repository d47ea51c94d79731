import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execa } from "execa";
import { baseBackup } from "#agent/steps/base-backup.ts";
import { createSlot } from "#agent/steps/create-slot.ts";
import { openHba } from "#agent/steps/open-hba.ts";
import { placeDataDirectory } from "#agent/steps/place-data-directory.ts";
import { findPostmaster } from "#agent/steps/postmaster.ts";
import { startDatabase } from "#agent/steps/start-database.ts";
import { writeNodeFiles } from "#agent/steps/write-node-files.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { runStep } from "./run-step.ts";
import { proveLogin } from "#agent/steps/prove-login.ts";
import { proveStreaming } from "#agent/steps/prove-streaming.ts";
import { addStandby, removeStandby, standbyArgs, type StandbyArgs } from "./standby-steps.ts";
import { binDirectory, createStepLab, type StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

let lab: StepLab;
let primary: TestAgent;
let target: TestAgent;
let args: StandbyArgs;
let hbaBefore: string;

beforeAll(async () => {
  lab = await createStepLab();
  primary = await lab.agent("n1");
  target = await lab.agent("n2");
  args = await standbyArgs(lab);
  hbaBefore = await readFile(lab.n1.paths.hbaFile, "latin1");
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await primary[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

test("slot, copy, files, place and start give a standby that streams under its own name", async () => {
  await addStandby(args, primary, target);
  const proof = await proveStreaming.verify(args.streaming, target);
  expect(proof.lagBytes).toBeLessThanOrEqual(args.streaming.lagLimitBytes);
  const row = await lab.sql(
    lab.n1.port,
    "SELECT application_name, state, usename FROM pg_stat_replication",
  );
  expect(row).toBe("n2|streaming|replicator");
  expect(await lab.sql(lab.n2.port, "SELECT pg_is_in_recovery()")).toBe("t");
  expect(await target.jobs.look("start-database.op-abcdefgh")).toBeNull();
});

test("the login that the new hba line admits is proved with a real replication session", async () => {
  const login = { ...lab.source, replication: true, secret: "replication" } as const;
  const { node: _, ...plain } = login;
  const proof = await proveLogin.verify({ logins: [plain] }, target);
  expect(proof.lines[0]).toContain("replicator@127.0.0.1");
});

test("a second run of every step finds all done and changes nothing", async () => {
  const pid = await readFile(join(lab.n2.paths.dataDirectory, "postmaster.pid"), "utf8");
  // As an agent leaves it that is killed while it waits for the server.
  await target.jobs.start({
    name: "start-database.op-abcdefgh",
    operationId: "op-abcdefgh",
    generation: 1,
    program: `${binDirectory}/pg_ctl`,
    args: ["--version"],
    env: {},
  });
  await addStandby(args, primary, target);
  expect(await readFile(join(lab.n2.paths.dataDirectory, "postmaster.pid"), "utf8")).toBe(pid);
  expect(await target.jobs.look("start-database.op-abcdefgh")).toBeNull();
});

test("undo of every step leaves nothing behind, and a second undo is no failure", async () => {
  await removeStandby(args, primary, target);
  expect(await readdir(join(lab.folder, "n2"))).toEqual(["state"]);
  expect(await target.ledger.list("")).toEqual([]);
  expect(await primary.ledger.list("")).toEqual([]);
  expect(await readFile(lab.n1.paths.hbaFile, "latin1")).toBe(hbaBefore);
  expect(await lab.sql(lab.n1.port, "SELECT count(*) FROM pg_replication_slots")).toBe("0");
  await removeStandby(args, primary, target);
});

/** Up to a data directory that only has to be started. */
async function copyAndWrite(at: StandbyArgs): Promise<void> {
  await runStep(openHba, at.hba, primary);
  await runStep(createSlot, at.slot, primary);
  await runStep(baseBackup, at.backup, target);
  await runStep(writeNodeFiles, at.files, target);
}

test("a start that is given up while the control program works leaves no server", async () => {
  await copyAndWrite(args);
  await runStep(placeDataDirectory, args.place, target);
  const controller = new AbortController();
  const start: TestAgent["jobs"]["start"] = async (request) => {
    const job = await target.jobs.start(request);
    controller.abort(new Error("given up"));
    return job;
  };
  const context = { ...target, signal: controller.signal, jobs: { ...target.jobs, start } };
  await expect(startDatabase.apply(args.start, context)).rejects.toThrow("given up");
  const job = await target.jobs.look("start-database.op-abcdefgh");
  await startDatabase.undo(args.start, target);
  await waitFor(async () => (await stat(`/proc/${job?.pid ?? 0}`).catch(() => null)) === null);
  expect(await findPostmaster(args.start.dataDirectory, target)).toBeNull();
});

test("an undo that dies while it removes a placed directory leaves nothing that a boot would start", async () => {
  const { dataDirectory, stagingDirectory } = args.place;
  const removeTree = () => Promise.reject(new Error("killed"));
  const dying = { ...target, files: { ...target.files, removeTree } };
  await expect(placeDataDirectory.undo(args.place, dying)).rejects.toThrow("killed");
  await expect(stat(dataDirectory)).rejects.toMatchObject({ code: "ENOENT" });
  await stat(stagingDirectory);
  await removeStandby(args, primary, target);
  expect(await readdir(join(lab.folder, "n2"))).toEqual(["state"]);
  expect(await target.ledger.list("")).toEqual([]);
});

test("a copy in place that a person has started is not emptied by an abort", async () => {
  const { dataDirectory } = args.place;
  const at: StandbyArgs = {
    ...args,
    backup: { ...args.backup, stagingDirectory: dataDirectory },
    files: { ...args.files, stagingDirectory: dataDirectory },
    place: { stagingDirectory: dataDirectory, dataDirectory },
  };
  await copyAndWrite(at);
  await runStep(placeDataDirectory, at.place, target);
  const log = join(lab.folder, "n2", "by-hand.log");
  const ctl = (...words: string[]) =>
    execa(`${binDirectory}/pg_ctl`, ["-D", dataDirectory, "-w", ...words], { stdio: "ignore" });
  await ctl("-l", log, "start");
  await expect(baseBackup.undo(at.backup, target)).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("a server runs"),
  });
  expect(await lab.sql(lab.n2.port, "SELECT pg_is_in_recovery()")).toBe("t");
  await stat(join(dataDirectory, incompleteMarker));
  await ctl("-m", "fast", "stop");
  await removeStandby(at, primary, target);
  expect((await readdir(join(lab.folder, "n2"))).sort()).toEqual(["by-hand.log", "state"]);
});
