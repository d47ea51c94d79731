import { expect, test } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed } from "./scripted-agent.ts";
import { settled, told } from "./settled.ts";
import { hbaStep, proofStep, slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

test("with on-failure rollback what was started is undone in reverse order, and the cause is kept", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", {
    script: ({ kind, phase }) =>
      kind === "start-database" && phase === "run" ? failed({ message: "no port" }) : done(),
  });
  const plan = somePlan(hbaStep("srv127"), slotStep("srv127"), startStep("srv127"));
  const { id } = coordinator.core.runner.start(someOperation(plan, { onFailure: "rollback" }));
  const ended = await settled(coordinator, id, "rolled-back");
  expect(told(agent).slice(3)).toEqual([
    "start-database/srv127 undo",
    "create-slot/srv127 undo",
    "open-hba/srv127 undo",
  ]);
  expect(ended.failure?.message).toBe("no port");
  expect(ended.steps.map((s) => s.state)).toEqual(["undone", "undone", "undone"]);
  expect(coordinator.core.ports.store.leaseHolder("ESHA")).toBeNull();
});

test("a step that only looked is not sent again to be undone", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", {
    script: ({ kind, phase }) => (kind === "start-database" && phase === "run" ? failed() : done()),
  });
  const plan = somePlan(proofStep("srv127"), startStep("srv127"));
  const { id } = coordinator.core.runner.start(someOperation(plan, { onFailure: "rollback" }));
  const ended = await settled(coordinator, id, "rolled-back");
  expect(told(agent)).not.toContain("prove-login/srv127 undo");
  expect(ended.steps[0]).toMatchObject({ state: "undone", attempt: 1 });
});

test("an abort cancels the step under way, waits for its end, and then undoes", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", {
    script: ({ kind, phase }) => (kind === "start-database" && phase === "run" ? null : done()),
  });
  const plan = somePlan(slotStep("srv127"), startStep("srv127"));
  const { id } = coordinator.core.runner.start(someOperation(plan));
  await waitFor(() => agent.commands.length === 2);
  expect(coordinator.core.runner.abort(id).state).toBe("rolling-back");
  const cancelled = await waitFor(() => agent.received.find((m) => m.type === "cancel-command"));
  expect(cancelled).toMatchObject({ commandId: `${id}/1/run/1` });
  expect(agent.commands).toHaveLength(2);
  agent.end(`${id}/1/run/1`, failed({ code: "INTERRUPTED", message: "cancelled" }));
  await settled(coordinator, id, "rolled-back");
  expect(told(agent).slice(2)).toEqual(["start-database/srv127 undo", "create-slot/srv127 undo"]);
});

test("a second abort, while the first one takes back, is the same one", async () => {
  // Nobody is on srv129: whether the abort finds its step begun or not, it is not waited for long.
  await using coordinator = await startTestCoordinator({ agentWaitMs: 300 });
  const agent = coordinator.agent("srv127", {
    script: ({ phase }) => (phase === "undo" ? null : done()),
  });
  const { runner } = coordinator.core;
  const { id } = runner.start(someOperation(somePlan(slotStep("srv127"), proofStep("srv129"))));
  await waitFor(() => agent.commands.length === 1);
  runner.abort(id);
  await waitFor(() => agent.commands.length === 2);
  expect(runner.abort(id).state).toBe("rolling-back");
  agent.end(`${id}/0/undo/2`, done());
  await settled(coordinator, id, "rolled-back");
  expect(told(agent)).toEqual(["create-slot/srv127 run", "create-slot/srv127 undo"]);
});

test("what can't be undone is named with the way to do it by hand; abort tries it again", async () => {
  await using coordinator = await startTestCoordinator();
  let isStuck = true;
  const agent = coordinator.agent("srv127", {
    script: ({ kind, phase }) => {
      if (kind === "start-database" && phase === "run") return failed();
      return kind === "create-slot" && phase === "undo" && isStuck
        ? failed({ message: "slot is active" })
        : done();
    },
  });
  const plan = somePlan(hbaStep("srv127"), slotStep("srv127"), startStep("srv127"));
  const { id } = coordinator.core.runner.start(someOperation(plan, { onFailure: "rollback" }));
  const stuck = await settled(coordinator, id, "needs-attention");
  expect(stuck.failure?.evidence.join("\n")).toContain(
    "SELECT pg_drop_replication_slot('slot_srv159')",
  );
  expect(stuck.failure?.evidence.join("\n")).toContain("slot is active");
  // The earlier step was taken back all the same.
  expect(stuck.steps.map((s) => s.state)).toEqual(["undone", "undo-failed", "undone"]);
  isStuck = false;
  coordinator.core.runner.abort(id);
  await settled(coordinator, id, "rolled-back");
  expect(told(agent).at(-1)).toBe("create-slot/srv127 undo");
});

test("what is left on a host that is gone for good does not hold its cluster for ever", async () => {
  await using coordinator = await startTestCoordinator({ agentWaitMs: 300 });
  const { runner, ports } = coordinator.core;
  const agent = coordinator.agent("srv127");
  const plan = somePlan(slotStep("srv127"), startStep("srv127"));
  agent.script = ({ kind }) => (kind === "start-database" ? null : done());
  const { id } = runner.start(someOperation(plan));
  await waitFor(() => agent.commands.length === 2);
  expect(() => runner.leave(id)).toThrow(/running/);
  agent[Symbol.dispose]();
  runner.abort(id);
  await settled(coordinator, id, "needs-attention");
  expect(ports.store.leaseHolder("ESHA")?.id).toBe(id);
  const ended = runner.leave(id);
  expect(ended.state).toBe("rolled-back");
  expect(ended.failure?.evidence.join("\n")).toContain("replication slot slot_srv159");
  expect(ports.store.leaseHolder("ESHA")).toBeNull();
});

test("after an abort in the middle of a step an undo that may pass is tried again, also after an agent's restart", async () => {
  await using coordinator = await startTestCoordinator();
  const ends = [failed({ retryable: true }), failed({ code: "INTERRUPTED" }, "interrupted")];
  const agent = coordinator.agent("srv127", {
    script: ({ phase }) => (phase === "run" ? null : (ends.shift() ?? done())),
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  await waitFor(() => agent.commands.length === 1);
  coordinator.core.runner.abort(id);
  agent.end(`${id}/0/run/1`, failed({ code: "INTERRUPTED", message: "cancelled" }));
  const ended = await settled(coordinator, id, "rolled-back");
  expect(ended.steps[0]?.state).toBe("undone");
});

test("an abort while the agent is away leaves the step's end open; aborted again, it is cancelled before it is undone", async () => {
  await using coordinator = await startTestCoordinator({ agentWaitMs: 700 });
  const agent = coordinator.agent("srv127", {
    script: ({ phase }) => (phase === "run" ? null : done()),
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  await waitFor(() => agent.commands.length === 1);
  agent[Symbol.dispose]();
  coordinator.core.runner.abort(id);
  const stuck = await settled(coordinator, id, "needs-attention");
  expect(stuck.failure?.evidence.join("\n")).toContain("srv127");
  const back = coordinator.agent("srv127", {
    instanceId: agent.instanceId,
    script: ({ phase }) => (phase === "run" ? null : done()),
  });
  await waitFor(() => back.isWelcome);
  coordinator.core.runner.abort(id);
  const cancelled = await waitFor(() => back.received.find((m) => m.type === "cancel-command"));
  expect(cancelled).toMatchObject({ commandId: `${id}/0/run/1` });
  await settled(coordinator, id, "rolled-back");
});
