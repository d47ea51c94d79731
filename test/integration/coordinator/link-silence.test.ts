import { expect, test } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import { eventsOf, startTestCoordinator } from "./test-coordinator.ts";

test("a silent link is given up; an agent that stays away is an alert until it returns", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  agent.freeze();
  await waitFor(() => coordinator.core.hub.view("srv127")?.connected === false);
  expect(JSON.stringify(eventsOf(coordinator, "agent:lost")[0]?.data)).toContain("silent for");
  const alert = await waitFor(() => store.alerts({ open: true })[0]);
  expect(alert.cause).toBe("node:srv127:agent-away");
  const back = coordinator.agent("srv127");
  await waitFor(() => back.isWelcome);
  expect(store.alerts({ open: true })).toEqual([]);
  expect(eventsOf(coordinator, "agent:returned")).toHaveLength(1);
});
