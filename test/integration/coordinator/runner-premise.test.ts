import { expect, test, vi } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import { done } from "./scripted-agent.ts";
import { settled } from "./settled.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { hbaStep, slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { startTestCoordinator, type TestCoordinator } from "./test-coordinator.ts";

test("no step begins once another node leads the cluster; the same primary again, and it goes on", async () => {
  await using coordinator = await startTestCoordinator();
  const { systemIdentifier, timeline } = someFacts().database;
  const premise = { primary: "srv127", systemIdentifier: systemIdentifier ?? "", timeline };
  const primary = coordinator.agent("srv127");
  const standby = coordinator.agent("srv129");
  await leads(coordinator, standby, "standby");
  // Promoted while a step is under way: that one ends, the next does not begin.
  primary.script = async ({ kind }) => {
    if (kind === "create-slot") await leads(coordinator, standby, "primary");
    return done();
  };
  const plan = {
    ...somePlan(hbaStep("srv127"), slotStep("srv127"), startStep("srv127")),
    premise,
  };
  const { id } = coordinator.core.runner.start(someOperation(plan));
  const paused = await settled(coordinator, id, "paused");
  expect(paused.steps.map(({ state }) => state)).toEqual(["done", "done", "failed"]);
  expect(paused.failure).toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("srv129 is a primary now"),
    hint: expect.stringContaining(`castellan operation abort ${id}`),
  });
  expect(primary.commands.map(({ kind }) => kind)).toEqual(["open-hba", "create-slot"]);

  coordinator.core.runner.resume(id);
  await settled(coordinator, id, "paused");
  expect(primary.commands).toHaveLength(2);

  await leads(coordinator, standby, "standby");
  coordinator.core.runner.resume(id);
  await settled(coordinator, id, "succeeded");
  expect(primary.commands.at(-1)?.kind).toBe("start-database");
});

test("what was begun is taken back whoever leads by now", async () => {
  await using coordinator = await startTestCoordinator();
  const { systemIdentifier, timeline } = someFacts().database;
  const premise = { primary: "srv127", systemIdentifier: systemIdentifier ?? "", timeline };
  const primary = coordinator.agent("srv127");
  const standby = coordinator.agent("srv129");
  primary.script = async ({ kind }) => {
    if (kind === "create-slot") await leads(coordinator, standby, "primary");
    return done();
  };
  await leads(coordinator, standby, "standby");
  const plan = { ...somePlan(slotStep("srv127"), startStep("srv127")), premise };
  const { id } = coordinator.core.runner.start(someOperation(plan));
  await settled(coordinator, id, "paused");
  coordinator.core.runner.abort(id);
  await settled(coordinator, id, "rolled-back");
});

test("what an agent said before its link broke neither breaks a premise nor saves it", async () => {
  await using coordinator = await startTestCoordinator();
  const { systemIdentifier, timeline } = someFacts().database;
  const premise = { primary: "srv127", systemIdentifier: systemIdentifier ?? "", timeline };
  const primary = coordinator.agent("srv127");
  await waitFor(() => primary.isWelcome);
  const standby = coordinator.agent("srv129", { reconnect: true });
  await leads(coordinator, standby, "primary");
  const silence = vi.spyOn(standby, "sendFacts").mockImplementation(() => undefined);
  standby.breakLink();
  await waitFor(() => standby.closes.length > 0 && standby.isWelcome);
  await waitFor(() => coordinator.core.hub.view("srv129")?.connected);
  const plan = { ...somePlan(hbaStep("srv127"), startStep("srv127")), premise };
  primary.script = ({ kind }) => {
    // Heard only now, and it counts: the next step does not begin.
    if (kind === "open-hba") {
      silence.mockRestore();
      standby.sendFacts();
    }
    return kind === "open-hba" ? null : done();
  };
  const { runner, hub } = coordinator.core;
  const { id } = runner.start(someOperation(plan));
  await waitFor(() => hub.view("srv129")?.factsAreCurrent);
  primary.end(`${id}/0/run/1`, done());
  const paused = await settled(coordinator, id, "paused");
  expect(paused.steps.map(({ state }) => state)).toEqual(["done", "failed"]);
  expect(paused.failure?.message).toContain("srv129 is a primary now");
});

/** The agent says so, and the coordinator has heard it. */
async function leads(
  coordinator: TestCoordinator,
  agent: ReturnType<TestCoordinator["agent"]>,
  role: "primary" | "standby",
): Promise<void> {
  await waitFor(() => agent.isWelcome);
  agent.facts = someFacts({
    database: { ...someFacts().database, role, timeline: role === "primary" ? 2 : 1 },
  });
  agent.sendFacts();
  await waitFor(() => coordinator.core.hub.view("srv129")?.facts?.database.role === role, {
    what: `srv129 to be seen as a ${role}`,
  });
}
