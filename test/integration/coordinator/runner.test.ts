import { expect, test } from "vitest";
import type { CommandEnvelope } from "#shared/domain/commands.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed } from "./scripted-agent.ts";
import { settled, told } from "./settled.ts";
import { hbaStep, slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

test("a one-step plan runs on the agent and its evidence is journaled", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  const started = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  const ended = await settled(coordinator, started.id, "succeeded");
  expect(ended.steps[0]).toMatchObject({ state: "done", attempt: 1 });
  expect(ended.steps[0]?.evidence).toMatchObject({ lines: ["as scripted"] });
  expect(agent.commands[0]).toMatchObject({
    id: `${started.id}/0/run/1`,
    operationId: started.id,
    epoch: coordinator.core.ports.store.epoch,
  });
  expect(coordinator.core.ports.store.leaseHolder("ESHA")).toBeNull();
});

test("steps run in the plan's order, those of one kind on different nodes at the same time", async () => {
  await using coordinator = await startTestCoordinator();
  const order: string[] = [];
  let atOnce = 0;
  let most = 0;
  const script = async ({ stepId }: CommandEnvelope) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    order.push(stepId);
    if (stepId.startsWith("open-hba")) await waitFor(() => most === 2, { what: "both at once" });
    atOnce -= 1;
    return done();
  };
  coordinator.agent("srv127", { script });
  coordinator.agent("srv129", { script });
  const plan = somePlan(
    hbaStep("srv127"),
    hbaStep("srv129"),
    slotStep("srv127"),
    startStep("srv129"),
  );
  const { id } = coordinator.core.runner.start(someOperation(plan));
  await settled(coordinator, id, "succeeded");
  expect(order.slice(0, 2).toSorted()).toEqual(["open-hba/srv127", "open-hba/srv129"]);
  expect(order.slice(2)).toEqual(["create-slot/srv127", "start-database/srv129"]);
});

test("a step reserves on its node what it touches before its command is there, and gives it back", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", { knowsCluster: true });
  const before = coordinator.agent("srv129");
  await waitFor(() => agent.isWelcome && before.isWelcome);
  const plan = somePlan(slotStep("srv127"), startStep("srv129"));
  const { id } = coordinator.core.runner.start(someOperation(plan));
  await settled(coordinator, id, "succeeded");
  const heard = () =>
    agent.received.flatMap((message) => {
      if (message.type === "command") return [message.command.kind];
      return message.type === "reserve" ? [`${message.classes.join()} ${message.forMs}`] : [];
    });
  await waitFor(() => heard().length === 3);
  expect(heard()).toEqual(["disk 15000", "create-slot", "disk 0"]);
  expect(before.received.filter(({ type }) => type === "reserve")).toEqual([]);
});

test("a failure that may pass is tried again under a new id, then the step is done", async () => {
  await using coordinator = await startTestCoordinator();
  let attempts = 0;
  const agent = coordinator.agent("srv127", {
    script: () => {
      attempts += 1;
      return attempts < 3 ? failed({ retryable: true }) : done();
    },
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  const ended = await settled(coordinator, id, "succeeded");
  expect(ended.steps[0]).toMatchObject({ state: "done", attempt: 3, failure: null });
  expect(agent.commands.map((c) => c.id)).toEqual([1, 2, 3].map((n) => `${id}/0/run/${n}`));
});

test("a step that keeps failing pauses the operation with its cause, and resume goes on from it", async () => {
  await using coordinator = await startTestCoordinator({ attempts: 2 });
  const agent = coordinator.agent("srv127", {
    script: ({ kind }) =>
      kind === "start-database" ? failed({ retryable: true, message: "port in use" }) : done(),
  });
  const plan = somePlan(slotStep("srv127"), startStep("srv127"));
  const { id } = coordinator.core.runner.start(someOperation(plan));
  const paused = await settled(coordinator, id, "paused");
  expect(paused.failure?.message).toBe("port in use");
  expect(paused.steps.map((s) => s.state)).toEqual(["done", "failed"]);
  expect(coordinator.core.ports.store.leaseHolder("ESHA")?.id).toBe(id);
  agent.script = () => done();
  coordinator.core.runner.resume(id);
  const ended = await settled(coordinator, id, "succeeded");
  expect(ended.failure).toBeNull();
  expect(told(agent)).toEqual([
    "create-slot/srv127 run",
    "start-database/srv127 run",
    "start-database/srv127 run",
    "start-database/srv127 run",
  ]);
});

test("an interrupted step is tried anew at once, without using up its retries", async () => {
  await using coordinator = await startTestCoordinator({ attempts: 1 });
  let attempts = 0;
  coordinator.agent("srv127", {
    script: () => {
      attempts += 1;
      return attempts < 4 ? failed({ code: "INTERRUPTED" }, "interrupted") : done();
    },
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  const ended = await settled(coordinator, id, "succeeded");
  expect(ended.steps[0]?.attempt).toBe(4);
});

test("a link that breaks in the middle of a step costs nothing: the agent's answer comes later", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", { reconnect: true, script: () => null });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  await waitFor(() => agent.commands.length === 1);
  agent.breakLink();
  await waitFor(() => agent.commands.length === 2, { what: "the command sent again" });
  expect(agent.commands[1]?.id).toBe(agent.commands[0]?.id);
  agent.end(`${id}/0/run/1`, done());
  const ended = await settled(coordinator, id, "succeeded");
  expect(ended.steps[0]?.attempt).toBe(1);
});

test("an agent that stays away too long pauses the operation; resumed, the same command is asked about", async () => {
  await using coordinator = await startTestCoordinator({ agentWaitMs: 700 });
  const secret = coordinator.secretOf("srv127");
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  const paused = await settled(coordinator, id, "paused");
  expect(paused.failure).toMatchObject({ code: "NODE_UNREACHABLE" });
  expect(paused.failure?.message).toContain("srv127");
  const agent = coordinator.agent("srv127", { secret });
  await waitFor(() => agent.isWelcome);
  coordinator.core.runner.resume(id);
  await settled(coordinator, id, "succeeded");
  expect(agent.commands.map((c) => c.id)).toEqual([`${id}/0/run/1`]);
});

test("a second operation on the cluster is refused, naming the first one and who asked for it; elsewhere it runs", async () => {
  await using coordinator = await startTestCoordinator();
  coordinator.agent("srv127", { script: () => null });
  const { runner } = coordinator.core;
  const first = runner.start(someOperation(somePlan(slotStep("srv127"))));
  expect(() => runner.start(someOperation(somePlan(), { requestedBy: "other@host" }))).toThrow(
    new RegExp(`${first.id}.*dba@host`),
  );
  const elsewhere = runner.start(someOperation(somePlan(), { cluster: "ESHB" }));
  await settled(coordinator, elsewhere.id, "succeeded");
});

test("a result against the kind's schema is a failure, not evidence", async () => {
  await using coordinator = await startTestCoordinator();
  coordinator.agent("srv127", { script: () => done({ alreadyDone: "perhaps" }) });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  const paused = await settled(coordinator, id, "paused");
  expect(paused.failure).toMatchObject({ code: "VERSION_MISMATCH" });
  expect(paused.failure?.message).toContain("alreadyDone");
});

test("what the table of transitions does not have is refused and changes nothing", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  const { id } = runner.start(someOperation(somePlan()));
  await settled(coordinator, id, "succeeded");
  expect(() => runner.resume(id)).toThrow(/is succeeded/);
  expect(() => runner.abort(id)).toThrow(/is succeeded/);
  expect(() => runner.abort("op-doesnotexist")).toThrow(/no operation/);
});

test("a watcher sees every state and the agent's progress, a late one the latest of both", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", { script: () => null });
  const { runner } = coordinator.core;
  const { id } = runner.start(someOperation(somePlan(slotStep("srv127"))));
  await waitFor(() => agent.commands.length === 1);
  const progress = { doneBytes: 5, totalBytes: 10, bytesPerSecond: 1, note: "copies" };
  const seen: string[] = [];
  using _early = runner.watch(id, (update) =>
    seen.push(update.type === "operation" ? update.operation.state : update.progress.note),
  );
  agent.send({ type: "command-progress", commandId: `${id}/0/run/1`, progress });
  await waitFor(() => seen.includes("copies"));
  const late: string[] = [];
  using _late = runner.watch(id, (update) => late.push(update.type));
  expect(late).toEqual(["operation", "progress"]);
  agent.end(`${id}/0/run/1`, done());
  await settled(coordinator, id, "succeeded");
  expect(seen.at(-1)).toBe("succeeded");
});

test("a step that the agent itself ended as unreachable is tried anew on resume, not asked about for ever", async () => {
  await using coordinator = await startTestCoordinator();
  let isMended = false;
  coordinator.agent("srv127", {
    script: () => (isMended ? done() : failed({ code: "NODE_UNREACHABLE" })),
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  await settled(coordinator, id, "paused");
  isMended = true;
  coordinator.core.runner.resume(id);
  await settled(coordinator, id, "succeeded");
});

test("what was accepted stands as an alert before the journal says succeeded", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  let openAtSuccess = -1;
  const { runner } = coordinator.core;
  coordinator.agent("srv127");
  const accepted = { id: "ssh-trust", title: "", node: "srv127", status: "warn", found: "", wanted: "", fix: "" } as const; // prettier-ignore
  const plan = { ...somePlan(slotStep("srv127")), checks: [accepted] };
  const { id } = runner.start(someOperation(plan));
  using _watch = runner.watch(id, (update) => {
    if (update.type === "operation" && update.operation.state === "succeeded") {
      openAtSuccess = store.alerts({ open: true }).length;
    }
  });
  await settled(coordinator, id, "succeeded");
  expect(openAtSuccess).toBe(1);
});
