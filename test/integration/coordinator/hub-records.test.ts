import { expect, test, vi } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import { done } from "./scripted-agent.ts";
import { settled } from "./settled.ts";
import { hbaStep, someOperation, somePlan, slotStep } from "./some-plan.ts";
import { eventsOf, startTestCoordinator } from "./test-coordinator.ts";

test("an agent that obeyed a newer epoch is an alert: this journal is an old one", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  coordinator.agent("srv127", { highestEpoch: store.epoch + 6 });
  const [alert] = await waitFor(() => {
    const open = store.alerts({ open: true });
    return open.length > 0 && open;
  });
  expect(alert).toMatchObject({ severity: "critical", node: "srv127" });
  expect(alert?.summary).toContain(`epoch ${store.epoch + 6}`);
});

test("what an agent tells is cut to a limit, and it can't open alerts without end", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  for (let i = 0; i < 210; i += 1) {
    const eventId = `made-up-${i}`;
    agent.send({
      type: "host-event",
      eventId,
      at: 0,
      kind: "guard-finding",
      cause: eventId,
      severity: "warning",
      summary: "s".repeat(i === 0 ? 10_000 : 10),
      detail: "d".repeat(i === 0 ? 1_000_000 : 10),
    });
    const isTold = () =>
      agent.received.some((m) => m.type === "host-event-acknowledged" && m.eventId === eventId);
    await waitFor(isTold, { intervalMs: 1 });
  }
  const alerts = store.alerts({ open: true });
  expect(alerts).toHaveLength(201);
  expect(alerts[0]?.summary).toContain("more than 200 causes");
  expect(alerts.at(-1)?.summary.length).toBeLessThan(600);
  expect(alerts.at(-1)?.detail.length).toBeLessThan(66_000);
}, 60_000);

test("an address that tries many names is recorded a few times, not once a name", async () => {
  await using coordinator = await startTestCoordinator();
  const agents = Array.from({ length: 40 }, (_, i) =>
    coordinator.agent(`guess${i}`, { secret: "wrong" }),
  );
  await waitFor(() => agents.every((agent) => agent.closes.length > 0), { timeoutMs: 20_000 });
  expect(eventsOf(coordinator, "agent:refused").length).toBeLessThanOrEqual(20);
}, 30_000);

test("while the journal can't be written the coordinator stays up, and what was told is recorded afterwards", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127", { reconnect: true });
  await waitFor(() => agent.isWelcome);
  const full = (): never => {
    throw new Error("database or disk is full");
  };
  const writes = (["addEvent", "raiseAlert"] as const).map((name) =>
    vi.spyOn(store, name).mockImplementation(full),
  );
  const report = {
    type: "host-event",
    eventId: "1",
    at: 0,
    kind: "guard-finding",
    cause: "database-dead",
    severity: "critical",
    summary: "the database is dead",
    detail: "",
  } as const;
  agent.send(report);
  await waitFor(() => agent.closes.length > 0 && agent.isWelcome);
  expect(agent.received.some((m) => m.type === "host-event-acknowledged")).toBe(false);
  for (const write of writes) write.mockRestore();
  agent.send(report);
  await waitFor(() => agent.received.some((m) => m.type === "host-event-acknowledged"));
  expect(store.alerts({ open: true })[0]?.summary).toBe("the database is dead");
});

test("an end that can't be recorded is told once more, and the step that waits for it goes on", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const files = [{ path: "/data/pg_hba.conf", hash: "a".repeat(64) }];
  const agent = coordinator.agent("srv127", { reconnect: true });
  agent.script = () => done({ alreadyDone: false, lines: [], files });
  await waitFor(() => agent.isWelcome);
  const write = vi.spyOn(store, "setBaseline").mockImplementation(() => {
    throw new Error("database or disk is full");
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(hbaStep("srv127"))));
  await waitFor(() => agent.closes.length > 0 && agent.isWelcome);
  write.mockRestore();
  await settled(coordinator, id, "succeeded");
  expect(store.baselines("srv127")).toMatchObject(files);
});

test("what could not be held for a full disk is held when the agent comes again", async () => {
  await using coordinator = await startTestCoordinator();
  const { core } = coordinator;
  const { store } = core.ports;
  const { id } = core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  const write = vi.spyOn(store, "holdOperations").mockImplementation(() => {
    throw new Error("database or disk is full");
  });
  const agent = coordinator.agent("srv127", {
    reconnect: true,
    highestEpoch: store.epochBefore + 1,
  });
  await waitFor(() => agent.closes.length > 0);
  write.mockRestore();
  await settled(coordinator, id, "paused");
  await waitFor(() => agent.isWelcome);
  expect(agent.commands).toEqual([]);
});
