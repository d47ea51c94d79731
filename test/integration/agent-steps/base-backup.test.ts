import {
  copyFile,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { baseBackup } from "#agent/steps/base-backup.ts";
import { backupMarker } from "#agent/steps/backup-records.ts";
import { claimTree, removeOwnTree } from "#agent/steps/own-directory.ts";
import { createSlot } from "#agent/steps/create-slot.ts";
import { openHba } from "#agent/steps/open-hba.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { runStep } from "./run-step.ts";
import { standbyArgs, type StandbyArgs } from "./standby-steps.ts";
import { createStepLab, type StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

const slow = 10 * 1024 * 1024;
let lab: StepLab;
let primary: TestAgent;
let args: StandbyArgs;

beforeAll(async () => {
  lab = await createStepLab();
  primary = await lab.agent("n1");
  args = await standbyArgs(lab);
  await runStep(openHba, args.hba, primary);
  await runStep(createSlot, args.slot, primary);
});

afterAll(async () => {
  await primary[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const jobName = "base-backup.op-abcdefgh";

/** Begins a copy that takes long, and gives it up as an agent does that is stopped: the job goes on. */
async function beginAndLeave(target: TestAgent, controller: AbortController): Promise<number> {
  const copying = baseBackup.apply({ ...args.backup, maxRateBytesPerSecond: slow }, target);
  const running = await waitFor(async () => {
    const job = await target.jobs.look(jobName);
    return job?.status === "running" && (await hasFiles(args.backup.stagingDirectory)) ? job : null;
  });
  controller.abort(new Error("the agent is stopped"));
  await expect(copying).rejects.toThrow("the agent is stopped");
  return running.pid;
}

async function hasFiles(directory: string): Promise<boolean> {
  return (await readdir(directory)).length > 0;
}

async function expectNothingLeft(target: TestAgent): Promise<void> {
  expect(await readdir(join(lab.folder, "n2"))).toEqual(["state"]);
  expect(await target.ledger.list("")).toEqual([]);
  expect(await target.jobs.look(jobName)).toBeNull();
  expect(await readdir(join(lab.folder, "n2", "state", "password-files"))).toEqual([]);
}

test("a copy outlives its agent, and the next agent adopts it instead of starting another", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  const pid = await beginAndLeave(first, controller);
  const second = await lab.agent("n2");
  expect(await baseBackup.check(args.backup, second)).toBeNull();
  expect((await second.jobs.look(jobName))?.pid).toBe(pid);
  const result = await runStep(baseBackup, args.backup, second);
  expect(result.copiedBytes).toBeGreaterThan(10e6);
  const label = await readFile(join(args.backup.stagingDirectory, "backup_label"), "utf8");
  expect(label).toContain("LABEL: castellan op-abcdefgh");
  await stat(join(args.backup.stagingDirectory, incompleteMarker));
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

test("a copy that was killed is begun anew in a directory of its own, and the old one's rest is gone", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  const pid = await beginAndLeave(first, controller);
  const before = await stat(args.backup.stagingDirectory);
  process.kill(-pid, "SIGKILL");
  const second = await lab.agent("n2");
  await waitFor(async () => (await second.jobs.look(jobName))?.status === "lost");
  await runStep(baseBackup, args.backup, second);
  const after = await stat(args.backup.stagingDirectory);
  expect(after.birthtimeMs).toBeGreaterThan(before.birthtimeMs);
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

test("the copying program alone is killed: its second process ends with it, and the copy is begun anew", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  const group = await beginAndLeave(first, controller);
  const members = await programsOf(group);
  // With -X stream one process copies and its child takes the WAL.
  expect(members).toHaveLength(2);
  process.kill(Math.min(...members), "SIGKILL");
  const second = await lab.agent("n2");
  await waitFor(async () => (await second.jobs.look(jobName))?.status === "ended");
  await runStep(baseBackup, args.backup, second);
  expect(await programsOf(group)).toEqual([]);
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

test("a copy that is begun anew takes away what it made, and nothing that lies beside", async () => {
  const beside = join(lab.folder, "n2");
  const foreign = [join(beside, "notes.txt"), join(beside, "data.other-copy", "PG_VERSION")];
  await mkdir(join(beside, "data.other-copy"));
  for (const file of foreign) await writeFile(file, "a person's");
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  process.kill(-(await beginAndLeave(first, controller)), "SIGKILL");
  const second = await lab.agent("n2");
  await runStep(baseBackup, args.backup, second);
  await baseBackup.undo(args.backup, second);
  for (const file of foreign) expect(await readFile(file, "utf8")).toBe("a person's");
  for (const name of ["notes.txt", "data.other-copy"]) {
    await rm(join(beside, name), { recursive: true });
  }
  await expectNothingLeft(second);
});

test("a directory in the copy's place whose files are not the copy's is left alone, at a new attempt as in an undo", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  process.kill(-(await beginAndLeave(first, controller)), "SIGKILL");
  const second = await lab.agent("n2");
  await waitFor(async () => (await second.jobs.look(jobName))?.status === "lost");
  // Device and inode are still the copy's: a removed directory's number is soon given to another one.
  const { stagingDirectory } = args.backup;
  for (const name of await readdir(stagingDirectory)) {
    await rm(join(stagingDirectory, name), { recursive: true });
  }
  await writeFile(join(stagingDirectory, "notes.txt"), "a person's");
  const refused = { code: "REFUSED", message: expect.stringContaining(stagingDirectory) };
  await expect(baseBackup.apply(args.backup, second)).rejects.toMatchObject(refused);
  await expect(baseBackup.undo(args.backup, second)).rejects.toMatchObject(refused);
  expect(await readFile(join(stagingDirectory, "notes.txt"), "utf8")).toBe("a person's");

  await rm(join(stagingDirectory, "notes.txt"));
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

test("an empty directory that somebody made where ours was is not ours, although ext4 gives it our number", async () => {
  const target = await lab.agent("n2");
  const path = join(lab.folder, "n2", "claimed");
  await claimTree(target, path, 1);
  await rmdir(path);
  await mkdir(path);
  const remove = () => removeOwnTree(target, path, () => Promise.resolve());
  await expect(remove()).rejects.toMatchObject({ code: "REFUSED" });
  await rmdir(path);
  expect(await remove()).toContain("was gone already");
  await expectNothingLeft(target);
});

test("a copy whose marker names another attempt is left alone", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  process.kill(-(await beginAndLeave(first, controller)), "SIGKILL");
  const second = await lab.agent("n2");
  await waitFor(async () => (await second.jobs.look(jobName))?.status === "lost");
  const marker = backupMarker(args.backup.stagingDirectory);
  const right = await readFile(marker, "utf8");
  await writeFile(marker, right.replace('"generation":1', '"generation":7'));
  await expect(baseBackup.apply(args.backup, second)).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining(marker),
  });
  expect(await hasFiles(args.backup.stagingDirectory)).toBe(true);
  await writeFile(marker, right);
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

test("an undo that was killed while it removed the copy goes on when it is told again", async () => {
  const target = await lab.agent("n2");
  await runStep(baseBackup, args.backup, target);
  const { files } = target;
  const dies = {
    ...target,
    files: {
      ...files,
      removeTree: async (path: string) => {
        // What a crash leaves depends on the order in which the names came.
        await rm(join(path, "backup_label"));
        await rm(join(path, incompleteMarker));
        throw new Error("killed");
      },
    },
  };
  await expect(baseBackup.undo(args.backup, dies)).rejects.toThrow("killed");
  const next = await lab.agent("n2");
  await baseBackup.undo(args.backup, next);
  await expectNothingLeft(next);
});

test("the job of a copy that is noted as finished goes, too, when the agent died right after the note", async () => {
  const first = await lab.agent("n2");
  let removals = 0;
  const remove: typeof first.jobs.remove = async (name) => {
    removals += 1;
    // The first is of what an earlier attempt may have left.
    if (removals === 2) throw new Error("killed");
    await first.jobs.remove(name);
  };
  const dying = { ...first, jobs: { ...first.jobs, remove } };
  await expect(baseBackup.apply(args.backup, dying)).rejects.toThrow("killed");
  const second = await lab.agent("n2");
  expect((await second.jobs.look(jobName))?.status).toBe("ended");
  await runStep(baseBackup, args.backup, second);
  expect(await second.jobs.look(jobName)).toBeNull();
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

test("undo in the middle of a copy ends exactly that job and leaves nothing", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  const pid = await beginAndLeave(first, controller);
  const second = await lab.agent("n2");
  await baseBackup.undo(args.backup, second);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  await expectNothingLeft(second);
});

test("a copy whose wrapper alone was killed still counts as running", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  const pid = await beginAndLeave(first, controller);
  process.kill(pid, "SIGKILL");
  const second = await lab.agent("n2");
  expect((await second.jobs.look(jobName))?.status).toBe("running");
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

test("the program's own words stand in the failure, and a slot that is not there is not asked for again", async () => {
  const target = await lab.agent("n2");
  const wrong = { ...args.backup, slot: "slot_missing" };
  await expect(runStep(baseBackup, wrong, target)).rejects.toMatchObject({
    code: "RESOURCE_MISSING",
    retryable: false,
    evidence: expect.arrayContaining([expect.stringContaining("slot_missing")]),
  });
  await baseBackup.undo(wrong, target);
  await expectNothingLeft(target);
});

test("a copy without progress is ended as stalled", async () => {
  const target = await lab.agent("n2");
  // 32 kB a second: within 300 ms nothing is seen to move, as on a cut line.
  const stuck = { ...args.backup, maxRateBytesPerSecond: 32_768, stallMs: 300 };
  await expect(runStep(baseBackup, stuck, target)).rejects.toMatchObject({
    code: "STALLED",
    retryable: true,
  });
  expect((await target.jobs.look(jobName))?.status).not.toBe("running");
  await baseBackup.undo(stuck, target);
  await expectNothingLeft(target);
});

test("a copy whose progress the agent's own full disk hides is not taken for one that stands still", async () => {
  const target = await lab.agent("n2");
  const { stateDirectory } = target.settings;
  const full: typeof target.files.filesystem = async (path) => {
    const measured = await target.files.filesystem(path);
    return path.startsWith(stateDirectory) ? { ...measured, freeBytes: 0 } : measured;
  };
  const blind = { ...target, files: { ...target.files, filesystem: full } };
  lab.progress.length = 0;
  const copy = { ...args.backup, maxRateBytesPerSecond: slow / 4, stallMs: 1_500 };
  const copying = runStep(baseBackup, copy, blind);
  // What the program says from now on goes nowhere, as on a disk that takes no byte more.
  const saysProgress = () => lab.progress.some(({ doneBytes }) => (doneBytes ?? 0) > 0);
  await Promise.race([copying, waitFor(saysProgress, { what: "some progress of the copy" })]);
  const said = join(stateDirectory, "jobs", jobName, "stderr");
  await copyFile(said, `${said}.so-far`);
  await rename(`${said}.so-far`, said);
  await copying;
  expect(lab.progress.at(-1)?.note).toContain(`${stateDirectory} is full`);
  await baseBackup.undo(copy, target);
  await expectNothingLeft(target);
});

test("a staging directory that is not ours is not touched", async () => {
  const target = await lab.agent("n2");
  const foreign = { ...args.backup, stagingDirectory: lab.n1.paths.dataDirectory };
  await expect(runStep(baseBackup, foreign, target)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
  await baseBackup.undo(foreign, target);
  expect(await lab.sql(lab.n1.port, "SELECT 1")).toBe("1");
});

test("a data directory that somebody has filled is found before hours of copying, not after them", async () => {
  const target = await lab.agent("n2");
  const { dataDirectory } = args.backup;
  await mkdir(dataDirectory, { recursive: true });
  await writeFile(join(dataDirectory, "precious"), "data");
  await expect(runStep(baseBackup, args.backup, target)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
    message: expect.stringContaining(dataDirectory),
  });
  expect(await readdir(dataDirectory)).toEqual(["precious"]);
  await rm(dataDirectory, { recursive: true });
  await baseBackup.undo(args.backup, target);
  await expectNothingLeft(target);
});

test("a server of another cluster is found out by its system identifier", async () => {
  const target = await lab.agent("n2");
  const other = { ...args.backup, systemIdentifier: "1" };
  await expect(runStep(baseBackup, other, target)).rejects.toMatchObject({
    code: "VERIFICATION_FAILED",
  });
  await baseBackup.undo(other, target);
  await expectNothingLeft(target);
});

test("progress tells bytes and rate while the copy runs", async () => {
  const target = await lab.agent("n2");
  lab.progress.length = 0;
  await runStep(baseBackup, { ...args.backup, maxRateBytesPerSecond: slow }, target);
  const seen = lab.progress.filter(({ doneBytes }) => (doneBytes ?? 0) > 0);
  expect(seen.at(-1)?.totalBytes).toBeGreaterThan(10e6);
  await baseBackup.undo(args.backup, target);
  await expectNothingLeft(target);
});

test("a directory into which another operation still copies is not used, though nothing stands in it yet", async () => {
  const other = await lab.agent("n2", { operationId: "op-aaaaaaaa" });
  await claimTree(other, args.backup.stagingDirectory, 1);
  // A copy that waits for its checkpoint has written nothing.
  await other.jobs.start({
    name: "base-backup.op-aaaaaaaa",
    operationId: "op-aaaaaaaa",
    generation: 1,
    program: "/usr/bin/sleep",
    args: ["60"],
    env: {},
  });
  const target = await lab.agent("n2");
  await expect(runStep(baseBackup, args.backup, target)).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
    message: expect.stringContaining("op-aaaaaaaa"),
  });
  await baseBackup.undo(args.backup, target);
  await baseBackup.undo(args.backup, other);
  await expectNothingLeft(await lab.agent("n2"));
});

test("two commands at once, and an agent that forgot its job, never have two copies in one directory", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  const pid = await beginAndLeave(first, controller);
  const second = await lab.agent("n2");
  const third = await lab.agent("n2");
  const both = { ...args.backup, maxRateBytesPerSecond: slow };
  const ends = Promise.allSettled([baseBackup.apply(both, second), baseBackup.apply(both, third)]);
  expect(await copiesInto(args.backup.stagingDirectory)).toEqual([pid]);
  // Whoever comes second to mark the same copy as finished may be told to look again; each has its own ledger in memory.
  const [one, other] = await ends;
  expect([one.status, other.status]).toContain("fulfilled");
  const winner = one.status === "fulfilled" ? second : third;
  expect(await copiesInto(args.backup.stagingDirectory)).toEqual([]);
  expect((await baseBackup.verify(both, winner)).copiedBytes).toBeGreaterThan(10e6);
  await baseBackup.undo(args.backup, winner);
  await expectNothingLeft(winner);
});

test("a copy whose job folder is gone is found by what it writes into, and no second one joins it", async () => {
  const controller = new AbortController();
  const first = await lab.agent("n2", { signal: controller.signal });
  const pid = await beginAndLeave(first, controller);
  const folder = join(lab.folder, "n2", "state", "jobs", jobName);
  await rename(folder, `${folder}-away`);
  const second = await lab.agent("n2");
  await expect(baseBackup.apply(args.backup, second)).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
    message: expect.stringMatching(/pid \d+/),
  });
  expect(await copiesInto(args.backup.stagingDirectory)).toEqual([pid]);
  await rename(`${folder}-away`, folder);
  await baseBackup.undo(args.backup, second);
  await expectNothingLeft(second);
});

async function programsOf(group: number): Promise<readonly number[]> {
  const { stdout } = await execa("ps", ["-eo", "pid=,pgid=,stat=,comm="]);
  return stdout.split("\n").flatMap((line) => {
    const [pid, of, state = "", name] = line.trim().split(/\s+/);
    const isAlive = !state.startsWith("Z");
    return isAlive && Number(of) === group && name === "pg_basebackup" ? [Number(pid)] : [];
  });
}

/** Process groups in which a pg_basebackup has that directory as its target. */
async function copiesInto(directory: string): Promise<readonly number[]> {
  const { stdout } = await execa("ps", ["-eo", "pgid=,args="]);
  const lines = stdout.split("\n").filter((line) => {
    const [, program = "", ...rest] = line.trim().split(/\s+/);
    return program.endsWith("/pg_basebackup") && rest.includes(directory);
  });
  return [...new Set(lines.map((line) => Number.parseInt(line, 10)))];
}

test("a copy that can't be begun leaves no password behind", async () => {
  const target = await lab.agent("n2");
  const start = () => Promise.reject(new Error("no processes left"));
  const context = { ...target, jobs: { ...target.jobs, start } };
  await expect(baseBackup.apply(args.backup, context)).rejects.toThrow("no processes left");
  expect(await readdir(join(lab.folder, "n2", "state", "password-files"))).toEqual([]);
  await baseBackup.undo(args.backup, target);
  await expectNothingLeft(target);
});
