import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { proveLogin } from "#agent/steps/prove-login.ts";
import { proveStreaming } from "#agent/steps/prove-streaming.ts";
import { addStandby, removeStandby, standbyArgs, type StandbyArgs } from "./standby-steps.ts";
import { createStepLab, type StepLab } from "./step-lab.ts";
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
});

test("the login that the new hba line admits is proved with a real replication session", async () => {
  const login = { ...lab.source, replication: true, secret: "replication" } as const;
  const { node: _, ...plain } = login;
  const proof = await proveLogin.verify({ logins: [plain] }, target);
  expect(proof.lines[0]).toContain("replicator@127.0.0.1");
});

test("a second run of every step finds all done and changes nothing", async () => {
  const pid = await readFile(join(lab.n2.paths.dataDirectory, "postmaster.pid"), "utf8");
  await addStandby(args, primary, target);
  expect(await readFile(join(lab.n2.paths.dataDirectory, "postmaster.pid"), "utf8")).toBe(pid);
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
