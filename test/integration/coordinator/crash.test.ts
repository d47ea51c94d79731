import { beforeAll, expect, test } from "vitest";
import type { FileFacts } from "#shared/domain/facts.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { buildCrashCoordinator, createCrashLab, endsAs, type CrashLab } from "./crash-lab.ts";
import { done, failed, type Script } from "./scripted-agent.ts";
import { told } from "./settled.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { hbaStep, slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";

beforeAll(buildCrashCoordinator);

const plan = somePlan(hbaStep("srv127"), slotStep("srv127"), startStep("srv127"));
const nth = (name: string) => [1, 2, 3].map((n) => `runner:${name}@${n}`);

test.concurrent.each([
  "runner:operation-created",
  ...["step-started", "step-ended", "step-done"].flatMap(nth),
])(
  "killed at %s the coordinator goes on from its journal, and every step has taken effect once",
  async (crashAt) => {
    await using lab = await createCrashLab(someOperation(plan), () => done());
    expect(await lab.start(crashAt).ended).toBe("SIGKILL");
    const ended = await endsAs(lab, lab.start(), "succeeded");
    expect(ended.steps.map((s) => s.state)).toEqual(["done", "done", "done"]);
    const ids = [0, 1, 2].map((index) => `${ended.id}/${index}/run/1`);
    expect([...lab.agent.begun.keys()]).toEqual(ids);
  },
);

test.concurrent.each(["undo-started", "undo-ended", "undo-done"].flatMap(nth))(
  "killed at %s the coordinator finishes the rollback",
  async (crashAt) => {
    const script: Script = ({ kind, phase }) =>
      kind === "start-database" && phase === "run" ? failed() : done();
    const operation = someOperation(plan, { onFailure: "rollback" });
    await using lab = await createCrashLab(operation, script);
    expect(await lab.start(crashAt).ended).toBe("SIGKILL");
    const ended = await endsAs(lab, lab.start(), "rolled-back");
    expect(ended.steps.map((s) => s.state)).toEqual(["undone", "undone", "undone"]);
    const undone = [...lab.agent.begun.keys()].filter((id) => id.includes("/undo/"));
    expect(undone).toEqual([2, 1, 0].map((index) => `${ended.id}/${index}/undo/2`));
  },
);

test.each([
  { crashAt: "runner:step-done@3", state: "succeeded" },
  { crashAt: "runner:undo-done@3", state: "rolled-back" },
] as const)(
  "killed at $crashAt the new coordinator calls it $state only with the node's files accepted as they are now",
  async ({ crashAt, state }) => {
    const script: Script = ({ kind, phase }) =>
      state === "rolled-back" && kind === "start-database" && phase === "run" ? failed() : done();
    const operation = someOperation(plan, { subject: "srv127", onFailure: "rollback" });
    await using lab = await createCrashLab(operation, script);
    lab.agent.facts = someFacts({ files: [identFile(null)] });
    expect(await lab.start(crashAt).ended).toBe("SIGKILL");
    lab.agent.facts = someFacts({ files: [identFile("as it is now")] });
    await endsAs(lab, lab.start(), state);
    expect(lab.accepted()).toEqual({ "/data/pg_ident.conf": "as it is now" });
  },
);

test("killed while a step is under way the new coordinator waits for that very step", async () => {
  const script: Script = ({ kind }) => (kind === "create-slot" ? null : done());
  await using lab = await createCrashLab(someOperation(plan), script);
  const first = lab.start();
  await waitFor(() => lab.agent.commands.length === 2, { timeoutMs: 20_000 });
  first.kill("SIGKILL");
  await first.ended;
  const second = lab.start();
  const again = await waitFor(() => lab.agent.commands[2], { timeoutMs: 20_000 });
  expect(again.id).toBe(lab.agent.commands[1]?.id);
  expect(again.epoch).toBeGreaterThan(lab.agent.commands[1]?.epoch ?? Infinity);
  lab.agent.end(again.id, done());
  const ended = await endsAs(lab, second, "succeeded");
  expect(ended.steps[1]).toMatchObject({ state: "done", attempt: 1 });
});

test("killed after an abort the new coordinator ends the step under way before it takes anything back", async () => {
  const script: Script = ({ kind, phase }) =>
    kind === "create-slot" && phase === "run" ? null : done();
  await using lab = await createCrashLab(someOperation(plan), script);
  const first = lab.start();
  await waitFor(() => lab.agent.commands.length === 2, { timeoutMs: 20_000 });
  first.kill("SIGUSR2");
  await waitFor(() => lab.agent.received.some((m) => m.type === "cancel-command"));
  first.kill("SIGKILL");
  await first.ended;
  lab.agent.received.length = 0;
  const second = lab.start();
  const cancel = await waitFor(() => lab.agent.received.find((m) => m.type === "cancel-command"), {
    timeoutMs: 20_000,
    what: "the cancel of the step under way",
  });
  expect(told(lab.agent).filter((line) => line.endsWith("undo"))).toEqual([]);
  lab.agent.end(cancel.commandId, failed({ code: "INTERRUPTED", message: "cancelled" }));
  await endsAs(lab, second, "rolled-back");
  expect(told(lab.agent).filter((line) => line.endsWith("undo"))).toEqual([
    "create-slot/srv127 undo",
    "open-hba/srv127 undo",
  ]);
});

test("stopped politely in the middle of a step nothing is journaled as failed, and the next one goes on", async () => {
  const script: Script = ({ kind }) => (kind === "create-slot" ? null : done());
  await using lab = await createCrashLab(someOperation(plan), script);
  const first = lab.start();
  await waitFor(() => lab.agent.commands.length === 2, { timeoutMs: 20_000 });
  first.kill("SIGTERM");
  expect(await first.ended).toBe(0);
  expect(lab.journal()).toMatchObject({ state: "running" });
  expect(lab.journal()?.steps[1]?.state).toBe("started");
  lab.agent.script = () => done();
  const second = lab.start();
  await waitFor(() => lab.agent.commands.length > 2, { timeoutMs: 20_000 });
  lab.agent.end(lab.agent.commands[1]?.id ?? "", done());
  await endsAs(lab, second, "succeeded");
});

test.each(["store:committed@1", "store:committed@12"])(
  "killed at %s, before the mark says so, the journal is whole",
  async (point) => {
    await using lab = await createCrashLab(someOperation(plan), () => done());
    const first = lab.start(point);
    expect(await first.ended).toBe("SIGKILL");
    await endsAs(lab, lab.start(), "succeeded");
    // Twice: the first start may have put something right for the second.
    const third = lab.start();
    await waitFor(() => lab.agent.isWelcome, { timeoutMs: 20_000 });
    third.kill("SIGTERM");
    expect(await third.ended).toBe(0);
  },
);

test("a coordinator that ends without closing its journal leaves it whole, though SQLite empties the log behind it", async () => {
  await using lab = await createCrashLab(someOperation(plan), () => done());
  for (let round = 0; round < 3; round += 1) {
    const coordinator = lab.start();
    await succeeded(lab);
    await waitFor(() => lab.agent.isWelcome, { timeoutMs: 20_000 });
    lab.agent.received.length = 0;
    coordinator.kill("SIGHUP");
    expect(await coordinator.ended).toBe(3);
  }
  await endsAs(lab, lab.start(), "succeeded");
});

function succeeded(lab: CrashLab) {
  return waitFor(() => lab.journal()?.state === "succeeded", {
    timeoutMs: 20_000,
    what: "an operation that succeeded",
  });
}

function identFile(hash: string | null): FileFacts {
  const state = hash === null ? "absent" : "present";
  const about = { owner: null, mode: null, modifiedAt: null, maskedText: null };
  return { path: "/data/pg_ident.conf", format: "ident", state, hash, ...about };
}
