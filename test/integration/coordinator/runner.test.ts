import { expect, test } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed } from "./scripted-agent.ts";
import { slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { startTestCoordinator, type TestCoordinator } from "./test-coordinator.ts";

async function settled({ core }: TestCoordinator, id: string, state: string) {
  return waitFor(
    () => {
      const found = core.ports.store.operation(id);
      return found?.state === state && found;
    },
    { what: `operation in state ${state}` },
  );
}

test("a one-step plan runs on the agent and its evidence is journaled", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  const started = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  const ended = await settled(coordinator, started.id, "succeeded");
  expect(ended.steps[0]).toMatchObject({ state: "done", attempt: 1 });
  expect(ended.steps[0]?.evidence).toMatchObject({ lines: ["as scripted"] });
  expect(agent.commands[0]?.id).toBe(`${started.id}/0/run/1`);
  expect(coordinator.core.ports.store.leaseHolder("ESHA")).toBeNull();
});
