import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openHba } from "#agent/steps/open-hba.ts";
import { probeLogins } from "#agent/steps/probe-logins.ts";
import { proveLogin } from "#agent/steps/prove-login.ts";
import type { CommandArgs, Login } from "#shared/domain/commands.ts";
import { runStep } from "./run-step.ts";
import { createStepLab, type StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

let lab: StepLab;
let primary: TestAgent;
let target: TestAgent;
let args: CommandArgs<"open-hba">;
let login: Login;
const base = "host all postgres 127.0.0.1/32 scram-sha-256\n";

beforeAll(async () => {
  lab = await createStepLab();
  primary = await lab.agent("n1");
  target = await lab.agent("n2");
  const rule = { type: "host", address: "127.0.0.1/32", method: "scram-sha-256" } as const;
  args = {
    file: lab.n1.paths.hbaFile,
    rules: [{ ...rule, database: "replication", user: "replicator" }],
  };
  login = {
    host: "127.0.0.1",
    port: lab.n1.port,
    user: "replicator",
    database: "postgres",
    replication: true,
    secret: "replication",
  };
});

beforeEach(async () => {
  await openHba.undo(args, primary);
  await setHba(base);
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await primary[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

async function setHba(text: string): Promise<void> {
  await writeFile(args.file, text, "latin1");
  await lab.sql(lab.n1.port, "SELECT pg_reload_conf()");
}

const readHba = (): Promise<string> => readFile(args.file, "latin1");

test("the login works after it, and undo gives the same bytes back", async () => {
  const [before] = (await probeLogins.verify({ logins: [login] }, target)).results;
  expect(before).toMatchObject({ ok: false, sqlState: "28000" });
  await runStep(openHba, args, primary);
  await proveLogin.verify({ logins: [login] }, target);
  const undone = await openHba.undo(args, primary);
  expect(undone.lines[0]).toContain("byte for byte");
  expect(await readHba()).toBe(base);
});

test("a line that rejects the login is outranked, not removed", async () => {
  const rejecting = `${base}host replication all 127.0.0.0/8 reject\nhost all all all scram-sha-256\n`;
  await setHba(rejecting);
  await runStep(openHba, args, primary);
  await proveLogin.verify({ logins: [login] }, target);
  expect((await readHba()).indexOf("replicator")).toBeLessThan((await readHba()).indexOf("reject"));
  await openHba.undo(args, primary);
  expect(await readHba()).toBe(rejecting);
});

test("a login that works already gets no line, and undo removes nothing", async () => {
  const there = `${base}host replication all 127.0.0.0/8 md5\n`;
  await setHba(there);
  const result = await runStep(openHba, args, primary);
  expect(result).toMatchObject({ alreadyDone: true, files: [] });
  await openHba.undo(args, primary);
  expect(await readHba()).toBe(there);
});

test("what a person writes in between stays, our lines go", async () => {
  await runStep(openHba, args, primary);
  const edited = `# by hand \xe9\n${await readHba()}host all all 10.0.0.0/8 reject`;
  await writeFile(args.file, edited, "latin1");
  const undone = await openHba.undo(args, primary);
  expect(undone.lines[0]).toContain("other edits kept");
  expect(await readHba()).toBe(`# by hand \xe9\n${base}host all all 10.0.0.0/8 reject`);
});

test("what a person wrote after the plan was made is kept, and the evidence says so", async () => {
  const planned = [{ path: args.file, hash: createHash("sha256").update(base).digest("hex") }];
  const same = await runStep(openHba, { ...args, planned }, primary);
  expect(same.lines.join("\n")).not.toContain("edited by somebody");
  await openHba.undo(args, primary);
  const edited = `# by hand\n${base}`;
  await setHba(edited);
  const { lines } = await runStep(openHba, { ...args, planned }, primary);
  expect(lines.at(-1)).toContain("edited by somebody after the plan was made");
  await openHba.undo(args, primary);
  expect(await readHba()).toBe(edited);
});

test("a file that the server can't read is named with its line, and left as it is", async () => {
  const broken = `${base}host all all nonsense/99 md5\n`;
  await writeFile(args.file, broken, "latin1");
  await expect(runStep(openHba, args, primary)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    evidence: [expect.stringContaining("pg_hba.conf:2:")],
  });
  expect(await readHba()).toBe(broken);
});

test("after a crash between the write and the reload the next run reloads", async () => {
  await runStep(openHba, args, primary);
  const [noted] = await primary.ledger.list("hba:");
  if (noted === undefined) throw new Error("nothing noted");
  const { key, entry } = noted;
  await primary.ledger.put(key, { ...entry, facts: { ...entry.facts, reloaded: false } });
  expect(await openHba.check(args, primary)).toBeNull();
  await runStep(openHba, args, primary);
  expect(await openHba.check(args, primary)).not.toBeNull();
});

test("a wrong password and a missing line are told apart", async () => {
  await runStep(openHba, args, primary);
  const wrong: Login = { ...login, secret: "database" };
  const { results } = await probeLogins.verify({ logins: [login, wrong] }, target);
  expect(results.map(({ ok, sqlState }) => [ok, sqlState])).toEqual([
    [true, null],
    [false, "28P01"],
  ]);
  const nobody: Login = { ...login, port: lab.n2.port };
  await expect(proveLogin.verify({ logins: [nobody] }, target)).rejects.toMatchObject({
    code: "DATABASE_UNREACHABLE",
  });
});

test("a file that is not this host's own hba file is not even read", async () => {
  const file = join(lab.folder, "n1", "state", "secrets", "database");
  await expect(runStep(openHba, { ...args, file }, primary)).rejects.toMatchObject({
    code: "REFUSED",
    evidence: [],
    message: expect.stringContaining("is not this host's hba file"),
  });
});
