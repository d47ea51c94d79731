import { expect, test } from "vitest";
import { operationEnd } from "#coordinator/operations/operation-end.ts";
import type { Plan } from "#coordinator/operations/plan.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed, type ScriptedAgent } from "./scripted-agent.ts";
import { settled, told } from "./settled.ts";
import { slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

function noReturnPlan(): Plan {
  const plan = somePlan(slotStep("srv127"), startStep("srv127"), slotStep("srv127", "slot_after"));
  return { ...plan, noReturn: "start-database/srv127", reserves: [{ node: "srv127", classes: ["vip", "disk"] }] }; // prettier-ignore
}

const reservedBy = ({ received }: ScriptedAgent): readonly string[] =>
  received.flatMap((m) => (m.type === "reserve" ? [`${m.classes.join(",")} ${m.forMs}`] : []));

test("past its step of no return an operation pauses where it would roll back, goes on, or is left as it is", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  let isStuck = true;
  const agent = coordinator.agent("srv127", {
    script: ({ args }) =>
      isStuck && JSON.stringify(args).includes("slot_after") ? failed({ message: "no slot" }) : done(), // prettier-ignore
  });
  const { id } = runner.start(someOperation(noReturnPlan(), { onFailure: "rollback" }));
  const paused = await settled(coordinator, id, "paused");
  expect(() => runner.abort(id)).toThrow(/can't be taken back any more: "start the database/);
  expect(operationEnd(paused).choices.map(({ command }) => command)).toEqual([
    `castellan operation resume ${id}`,
    `castellan operation abort ${id} --leave`,
  ]);
  isStuck = false;
  runner.resume(id);
  await settled(coordinator, id, "succeeded");
  expect(told(agent)).not.toContain("create-slot/srv127 undo");

  isStuck = true;
  const second = runner.start(someOperation(noReturnPlan()));
  await settled(coordinator, second.id, "paused");
  expect(runner.leave(second.id).state).toBe("rolled-back");
});

test("before its step of no return everything is taken back", async () => {
  await using coordinator = await startTestCoordinator();
  coordinator.agent("srv127", {
    script: ({ kind, phase }) => (kind === "start-database" && phase === "run" ? failed() : done()),
  });
  const { id } = coordinator.core.runner.start(
    someOperation(noReturnPlan(), { onFailure: "rollback" }),
  );
  const ended = await settled(coordinator, id, "rolled-back");
  expect(ended.steps.map(({ state }) => state)).toEqual(["undone", "undone", "pending"]);
});

test("what an operation reserves it holds from its start to its end, whatever its steps give back", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", {
    knowsCluster: true,
    script: ({ kind }) => (kind === "start-database" ? null : done()),
  });
  await waitFor(() => agent.isWelcome);
  const { id } = coordinator.core.runner.start(someOperation(noReturnPlan()));
  await waitFor(() => agent.commands.length === 2);
  // The slot's step would have given "disk" back.
  expect(reservedBy(agent)).toEqual(["vip,disk 15000", "database,role 15000"]);
  agent.end(`${id}/1/run/1`, done());
  await settled(coordinator, id, "succeeded");
  await waitFor(() => reservedBy(agent).includes("vip,disk 0"));
});
