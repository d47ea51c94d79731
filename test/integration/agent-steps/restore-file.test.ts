import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { restoreFile } from "#agent/steps/restore-file.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { unreadHash } from "#shared/domain/facts.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { runStep } from "./run-step.ts";
import { createStepLab, type StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

type Args = CommandArgs<"restore-file">;

let lab: StepLab;
let agent: TestAgent;
let conf = "";
let accepted = "";

beforeAll(async () => {
  lab = await createStepLab({ conf: ["work_mem = 4MB"] });
  agent = await lab.agent("n1");
  conf = lab.n1.paths.configFile;
  accepted = await readFile(conf, "latin1");
});
beforeEach(async () => {
  await writeFile(conf, accepted, "latin1");
  await chmod(conf, 0o600);
  await reload();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const reload = () => lab.sql(lab.n1.port, "SELECT pg_reload_conf()");
const setting = async (name: string) => (await lab.sql(lab.n1.port, `SHOW ${name}`)).trim();
const inForce = (name: string, value: string) =>
  waitFor(async () => (await setting(name)) === value, { what: `${name} = ${value}` });

/** As the watch does at every look. */
async function seen(
  path: string,
): Promise<{ readonly hash: string; readonly mode: number; readonly owner: string }> {
  const file = await agent.files.read(path);
  if (file === null) throw new Error(`${path} should be there`);
  await agent.files.versions.keep(path, file);
  return { hash: file.hash, mode: file.mode & 0o7777, owner: `${file.uid}:${file.gid}` };
}

async function drifted(text: string): Promise<Args> {
  const to = await seen(conf);
  await writeFile(conf, text, "latin1");
  const { hash } = await seen(conf);
  return { path: conf, format: "server-conf", from: hash, to };
}

test("the accepted bytes and mode come back, and a reload puts them in force", async () => {
  const args = await drifted(`${accepted}work_mem = 9MB\n`);
  await chmod(conf, 0o644);
  await reload();
  await inForce("work_mem", "9MB");
  const result = await runStep(restoreFile, args, agent);
  expect(result).toMatchObject({ alreadyDone: false, files: [] });
  expect(await readFile(conf, "latin1")).toBe(accepted);
  expect((await stat(conf)).mode & 0o777).toBe(0o600);
  await inForce("work_mem", "4MB");
  expect(await runStep(restoreFile, args, agent)).toMatchObject({ files: [] });
  await restoreFile.undo(args, agent);
});

test("what stood there comes back with an undo, and is in force again", async () => {
  const edited = `${accepted}work_mem = 8MB\n`;
  const args = await drifted(edited);
  await chmod(conf, 0o640);
  await runStep(restoreFile, args, agent);
  await inForce("work_mem", "4MB");
  await restoreFile.undo(args, agent);
  expect(await readFile(conf, "latin1")).toBe(edited);
  expect((await stat(conf)).mode & 0o777).toBe(0o640);
  await inForce("work_mem", "8MB");
  expect(await restoreFile.undo(args, agent)).toMatchObject({ alreadyDone: true });
});

test("another mode alone is put back, and comes back with an undo", async () => {
  const to = await seen(conf);
  await chmod(conf, 0o666);
  const args: Args = { path: conf, format: "server-conf", from: to.hash, to };
  await runStep(restoreFile, args, agent);
  expect((await stat(conf)).mode & 0o777).toBe(0o600);
  await restoreFile.undo(args, agent);
  expect((await stat(conf)).mode & 0o777).toBe(0o666);
  expect(await readFile(conf, "latin1")).toBe(accepted);
});

test("cut off before its write it is undone and done again, cut off before the reload it reloads", async () => {
  const edited = `${accepted}work_mem = 7MB\n`;
  const args = await drifted(edited);
  await reload();
  await inForce("work_mem", "7MB");
  const restore = () => Promise.reject(new Error("died"));
  const dying: TestAgent = { ...agent, files: { ...agent.files, restore } };
  await expect(runStep(restoreFile, args, dying)).rejects.toThrow("died");
  expect((await restoreFile.undo(args, agent)).lines.join()).toContain("as it was before");
  expect(await readFile(conf, "latin1")).toBe(edited);

  const query = () => Promise.reject(new Error("died"));
  const deaf: TestAgent = { ...agent, databases: { ...agent.databases, own: { ...agent.databases.own, query } } }; // prettier-ignore
  await expect(runStep(restoreFile, args, deaf)).rejects.toThrow("died");
  expect(await readFile(conf, "latin1")).toBe(accepted);
  expect(await restoreFile.check(args, agent)).toBeNull();
  await runStep(restoreFile, args, agent);
  await inForce("work_mem", "4MB");
  expect(await restoreFile.check(args, agent)).toMatchObject({ alreadyDone: false });
  await restoreFile.undo(args, agent);
});

test("a file that has changed again since is refused, and stays as it is", async () => {
  const args = await drifted(`${accepted}work_mem = 8MB\n`);
  const later = `${accepted}work_mem = 16MB\n`;
  await writeFile(conf, later, "latin1");
  await expect(runStep(restoreFile, args, agent)).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("has changed since it was shown"),
  });
  expect(await readFile(conf, "latin1")).toBe(later);
  expect(await restoreFile.undo(args, agent)).toMatchObject({ alreadyDone: true });
});

test("after an undo a change that came meanwhile is kept", async () => {
  const args = await drifted(`${accepted}work_mem = 8MB\n`);
  await runStep(restoreFile, args, agent);
  const later = `${accepted}work_mem = 16MB\n`;
  await writeFile(conf, later, "latin1");
  const { lines } = await restoreFile.undo(args, agent);
  expect(lines.join()).toContain("is kept");
  expect(await readFile(conf, "latin1")).toBe(later);
});

test("a file that is gone is made again with its mode, one that appeared is removed", async () => {
  const to = await seen(conf);
  await rm(conf);
  const again: Args = { path: conf, format: "server-conf", from: null, to: { ...to, mode: null, owner: null } }; // prettier-ignore
  await runStep(restoreFile, again, agent);
  expect(await readFile(conf, "latin1")).toBe(accepted);
  expect((await stat(conf)).mode & 0o777).toBe(0o600);
  await restoreFile.undo(again, agent);
  await expect(stat(conf)).rejects.toMatchObject({ code: "ENOENT" });

  const marker = join(lab.n1.paths.dataDirectory, "standby.signal");
  await writeFile(marker, "");
  const { hash } = await seen(marker);
  const gone = { hash: null, mode: null, owner: null };
  const args: Args = { path: marker, format: "signal", from: hash, to: gone };
  const result = await runStep(restoreFile, args, agent);
  expect(result.lines.join()).toContain("at its next start");
  await expect(stat(marker)).rejects.toMatchObject({ code: "ENOENT" });
  await restoreFile.undo(args, agent);
  expect(await readFile(marker, "utf8")).toBe("");
  await rm(marker);
});

test("what waits for a restart after the reload is named", async () => {
  await writeFile(conf, `${accepted}max_connections = 55\n`);
  const to = await seen(conf);
  await writeFile(conf, accepted);
  const { hash } = await seen(conf);
  const args: Args = { path: conf, format: "server-conf", from: hash, to };
  const waits = "waits for a restart of the server: max_connections";
  await agent.databases.own.query("SELECT 1 AS one");
  const pidFile = await readFile(join(lab.n1.paths.dataDirectory, "postmaster.pid"), "utf8");
  const postmaster = Number.parseInt(pidFile);
  // A busy server reads its files a while after it was told to.
  process.kill(postmaster, "SIGSTOP");
  try {
    await restoreFile.apply(args, agent);
    expect((await restoreFile.verify(args, agent)).lines).toContainEqual(waits);
  } finally {
    process.kill(postmaster, "SIGCONT");
  }
  // Asked again after a restart of the agent.
  expect((await restoreFile.check(args, agent))?.lines).toContainEqual(waits);
  await restoreFile.undo(args, agent);
});

test("bytes that this host has not kept, and files that it does not watch, are refused", async () => {
  const { hash } = await seen(conf);
  const unknown = { hash: "0".repeat(64), mode: null, owner: null };
  const args: Args = { path: conf, format: "server-conf", from: hash, to: unknown };
  await expect(runStep(restoreFile, args, agent)).rejects.toMatchObject({
    code: "RESOURCE_MISSING",
  });
  const path = join(lab.n1.paths.dataDirectory, "PG_VERSION");
  const other: Args = { path, format: "signal", from: (await agent.files.read(path))?.hash ?? null, to: { hash: null, mode: null, owner: null } }; // prettier-ignore
  await expect(runStep(restoreFile, other, agent)).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("is not watched"),
  });
  expect(await readFile(path, "utf8")).toMatch(/^15/);
});

test("of a password file the mode alone is put back and comes back, and nothing of it is kept or removed", async () => {
  const path = join(lab.folder, "n1", ".pgpass");
  const owner = `${process.getuid?.()}:${process.getgid?.()}`;
  const modeOf = async () => (await stat(path)).mode & 0o777;
  await writeFile(path, "*:*:*:*:never-told-5ecret\n", { mode: 0o644 });
  await chmod(path, 0o644);
  const to = { hash: unreadHash, mode: 0o600, owner };
  const args: Args = { path, format: "pass", from: unreadHash, to };
  const { lines } = await runStep(restoreFile, args, agent);
  expect(lines.join()).toContain("mode 0600");
  expect(await modeOf()).toBe(0o600);
  await restoreFile.undo(args, agent);
  expect(await modeOf()).toBe(0o644);
  // Nor is it read, and its hash told, when it is asked for as something else.
  const asConf: Args = { ...args, format: "server-conf" };
  await expect(runStep(restoreFile, asConf, agent)).rejects.toThrow("is not watched");
  const removed: Args = { ...args, to: { hash: null, mode: null, owner: null } };
  await expect(runStep(restoreFile, removed, agent)).rejects.toMatchObject({ code: "REFUSED" });
  expect(await readFile(path, "latin1")).toContain("never-told");
  const { hash } = (await agent.files.read(path)) ?? { hash: "" };
  expect(await agent.files.versions.find(path, hash)).toBeNull();
  await rm(path);
  await expect(runStep(restoreFile, args, agent)).rejects.toMatchObject({ code: "REFUSED" });
  await restoreFile.undo(args, agent);
  await expect(runStep(restoreFile, { ...args, path: join(lab.folder, "n1", "other.pass") }, agent)).rejects.toThrow("is not watched"); // prettier-ignore
});
