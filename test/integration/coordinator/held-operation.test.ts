import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCore } from "#coordinator/core.ts";
import { offlineStore } from "#coordinator/offline-store.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed, ScriptedAgent, type Script } from "./scripted-agent.ts";
import { settled, told } from "./settled.ts";
import { hbaStep, slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import {
  joinAgent,
  makeStateFolder,
  quickSettings,
  quietLog,
  type StateFolder,
} from "./test-coordinator.ts";
import { self, emptyFolder, failureOf } from "./backup-folder.ts";

const plan = somePlan(hbaStep("srv127"), slotStep("srv127"), startStep("srv127"));

/** One agent through several coordinators on one state directory or copies of it. */
async function oneAgent(folder: StateFolder, script: Script = () => done()) {
  const first = await startCore(quickSettings(folder.path), quietLog);
  const secret = joinAgent(first, "srv127");
  const dial = (core: { readonly agentPort: number }, highestEpoch: number) =>
    new ScriptedAgent({
      port: core.agentPort,
      node: "srv127",
      secret,
      certificatePem: folder.certificatePem,
      script,
      highestEpoch,
    });
  return { first, dial };
}

test("what was under way in a restored journal is held; its commands are new ones, and all of it is taken back", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  let answers = true;
  const script: Script = ({ kind, phase }) =>
    kind === "create-slot" && phase === "run" && !answers ? null : done();
  const { first, dial } = await oneAgent(folder, script);
  answers = false;
  let old: readonly string[];
  let id: string;
  {
    using agent = dial(first, 0);
    await waitFor(() => agent.isWelcome);
    ({ id } = first.runner.start(someOperation(plan)));
    await waitFor(() => agent.commands.length === 2);
    const { store } = first.ports;
    old = agent.commands.map((command) => command.id);
    store.snapshot(join(elsewhere.path, "journal.db"));
    await first[Symbol.asyncDispose]();
  }
  cpSync(join(elsewhere.path, "journal.db"), file);
  const report = offlineStore(folder.path, self).restore(file, Date.now());
  expect(report.held).toEqual([id]);
  answers = true;
  await using core = await startCore(quickSettings(folder.path), quietLog);
  using agent = dial(core, report.epoch - 1);
  await waitFor(() => agent.isWelcome);
  const held = core.ports.store.operation(id);
  expect(held).toMatchObject({
    state: "paused",
    failure: { code: "INTERRUPTED", message: expect.stringContaining("restored") },
  });
  expect(held?.steps.map((step) => step.state)).toEqual(["pending", "pending", "pending"]);
  expect(core.ports.store.alerts({ open: true }).map(({ cause }) => cause)).toContain(
    "coordinator/journal-restored",
  );
  expect(failureOf(() => core.runner.abort(id))).toMatchObject({
    code: "OPERATION_CONFLICT",
    hint: expect.stringContaining("--after-restore"),
  });
  expect(agent.commands).toEqual([]);
  core.runner.abort(id, { afterRestore: true });
  await settled({ core }, id, "rolled-back");
  // The third step was never begun, as far as this journal knows.
  expect(told(agent)).toEqual([
    "start-database/srv127 undo",
    "create-slot/srv127 undo",
    "open-hba/srv127 undo",
  ]);
  expect(agent.commands.some((command) => old.includes(command.id))).toBe(false);
  expect(agent.commands[0]?.id).toMatch(new RegExp(`^${id}\\.1/`));
  expect(core.ports.store.alerts({ open: true })).toEqual([]);
});

test("a held operation that is resumed looks at every step again; one that is left ends without a word to anybody", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, ({ kind }) =>
    kind === "start-database" ? null : done(),
  );
  using agent = dial(first, 0);
  await waitFor(() => agent.isWelcome);
  const { id } = first.runner.start(someOperation(plan));
  await waitFor(() => agent.commands.length === 3);
  first.runner.holdAll("as a test says");
  expect(first.ports.store.operation(id)).toMatchObject({ state: "paused", restores: 1 });
  agent.script = () => done();
  first.runner.resume(id);
  await settled({ core: first }, id, "succeeded");
  expect(told(agent).slice(3)).toEqual([
    "open-hba/srv127 run",
    "create-slot/srv127 run",
    "start-database/srv127 run",
  ]);
  agent.script = () => null;
  const second = first.runner.start(someOperation(plan));
  await waitFor(() => agent.commands.length === 7);
  first.runner.holdAll("as a test says");
  first.runner.leave(second.id);
  expect(first.ports.store.operation(second.id)?.state).toBe("rolled-back");
  expect(first.ports.store.leaseHolder("ESHA")).toBeNull();
  expect(agent.commands).toHaveLength(7);
  await first[Symbol.asyncDispose]();
});

test("a held operation that was resumed and fails takes nothing back unless that is said in full", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, () => null);
  using agent = dial(first, 0);
  await waitFor(() => agent.isWelcome);
  const { id } = first.runner.start(someOperation(plan, { onFailure: "rollback" }));
  await waitFor(() => agent.commands.length === 1);
  first.runner.holdAll("as a test says");
  agent.script = () => failed({ code: "REFUSED" });
  first.runner.resume(id);
  await settled({ core: first }, id, "paused");
  const refused = { code: "OPERATION_CONFLICT", hint: expect.stringContaining("--after-restore") };
  expect(failureOf(() => first.runner.abort(id))).toMatchObject(refused);
  agent.script = () => null;
  first.runner.resume(id);
  expect(failureOf(() => first.runner.abort(id))).toMatchObject(refused);
  await first[Symbol.asyncDispose]();
});

test("a held operation that was resumed and fails can be left as it is", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, () => failed({ code: "REFUSED" }));
  using agent = dial(first, 0);
  await waitFor(() => agent.isWelcome);
  const { id } = first.runner.start(someOperation(plan));
  await settled({ core: first }, id, "paused");
  first.runner.holdAll("as a test says");
  first.runner.resume(id);
  await settled({ core: first }, id, "paused");
  await waitFor(() => agent.commands.length === 2);
  first.runner.leave(id);
  expect(first.ports.store.operation(id)?.state).toBe("rolled-back");
  expect(told(agent)).toEqual(["open-hba/srv127 run", "open-hba/srv127 run"]);
  await first[Symbol.asyncDispose]();
});

test("a coordinator on an old copy holds everything when an agent knows of one that it does not know", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, () => null);
  const { epoch } = first.ports.store;
  {
    using agent = dial(first, 0);
    await waitFor(() => agent.isWelcome);
    first.runner.start(someOperation(plan));
    await waitFor(() => agent.commands.length === 1);
  }
  await first[Symbol.asyncDispose]();
  await using core = await startCore(quickSettings(folder.path), quietLog);
  expect(core.ports.store.epoch).toBeGreaterThan(epoch + 1);
  // In between somebody else was in charge: a copy of this journal on another host, or this one before a rollback.
  using agent = dial(core, epoch + 1);
  await waitFor(() => agent.isWelcome);
  const [held] = core.ports.store.operations();
  expect(held).toMatchObject({ state: "paused", restores: 1 });
  expect(held?.failure?.message).toMatch(/srv127 has obeyed another coordinator/);
  const alerts = core.ports.store.alerts({ open: true });
  expect(alerts.map(({ cause, severity }) => [cause, severity])).toContainEqual([
    "node:srv127:unknown-epoch",
    "critical",
  ]);
  expect(agent.commands).toEqual([]);
});
