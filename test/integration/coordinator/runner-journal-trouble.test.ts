import { expect, test, vi } from "vitest";
import { journalFailure } from "#coordinator/store/journal-failure.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { settled } from "./settled.ts";
import { slotStep, someOperation, somePlan } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

test("a step that can't be journaled is no failed step: the operation says why it stands still and goes on by itself", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  const full = vi.spyOn(store, "setStep").mockImplementation(() => {
    throw journalFailure("/state/journal.db", sqliteSays("SQLITE_FULL", "disk is full"));
  });
  const { runner } = coordinator.core;
  const { id } = runner.start(someOperation(somePlan(slotStep("srv127"))));
  const trouble = await waitFor(() => runner.troubleOf(id));
  expect(trouble).toContain(`operation ${id} stands still`);
  expect(trouble).toContain("journal can't be written (The journal /state/journal.db");
  expect(trouble).toContain("disk is full");
  // No effect without its place in the journal.
  expect(agent.commands).toEqual([]);
  expect(store.operation(id)?.state).toBe("running");
  full.mockRestore();
  await settled(coordinator, id, "succeeded");
  expect(runner.troubleOf(id)).toBeNull();
});

test("an operation whose journal can't even be read goes on by itself when it can be again", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  const { runner } = coordinator.core;
  const { id } = runner.start(someOperation(somePlan(slotStep("srv127"))));
  const broken = vi.spyOn(store, "operation").mockImplementation(() => {
    throw journalFailure("/state/journal.db", sqliteSays("SQLITE_CANTOPEN", "as a test says"));
  });
  expect(await waitFor(() => runner.troubleOf(id))).toContain("as a test says");
  broken.mockRestore();
  await settled(coordinator, id, "succeeded");
});

test("a defect of our own that makes an operation stand still is called one, not a trouble of the journal", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  const { runner } = coordinator.core;
  const { id } = runner.start(someOperation(somePlan(slotStep("srv127"))));
  const broken = vi.spyOn(store, "operation").mockImplementation(() => {
    throw new TypeError("x is not a function");
  });
  const trouble = await waitFor(() => runner.troubleOf(id));
  expect(trouble).toContain(`operation ${id} stands still`);
  expect(trouble).toMatch(/defect in Castellan.*x is not a function.*report it/);
  expect(trouble).not.toMatch(/can't be written|disk/);
  broken.mockRestore();
  await settled(coordinator, id, "succeeded");
});

function sqliteSays(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
