import { expect, test, vi } from "vitest";
import { systemClock } from "#shared/time.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { done, failed } from "./scripted-agent.ts";
import { someOperation, somePlan, slotStep } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

test("facts come whole, then as deltas; a gap is asked for again", async () => {
  await using coordinator = await startTestCoordinator();
  const { hub } = coordinator.core;
  const agent = coordinator.agent("srv127");
  await waitFor(() => hub.view("srv127")?.facts);
  const { guard, database } = someFacts();
  const stopped = { ...database, status: "stopped" as const };
  agent.send({ type: "facts-changed", base: 1, version: 2, sections: { database: stopped } });
  await waitFor(() => hub.view("srv127")?.facts?.database.status === "stopped");
  expect(agent.received.some((m) => m.type === "resend-facts")).toBe(false);
  agent.factsVersion = 7;
  agent.send({ type: "facts-changed", base: 6, version: 7, sections: { guard } });
  await waitFor(() => agent.received.some((m) => m.type === "resend-facts"));
  // The whole snapshot that follows says running again.
  await waitFor(() => hub.view("srv127")?.facts?.database.status === "running");
});

test("observe waits for a new whole snapshot of every node, and names the one that is away", async () => {
  await using coordinator = await startTestCoordinator();
  const { fleet } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => fleet.agent("srv127")?.facts);
  agent.facts = someFacts({ pool: null, database: { ...someFacts().database, timeline: 9 } });
  await fleet.observe(["srv127"]);
  expect(fleet.agent("srv127")?.facts?.database.timeline).toBe(9);
  coordinator.secretOf("srv129");
  await expect(fleet.observe(["srv127", "srv129"])).rejects.toMatchObject({
    code: "NODE_UNREACHABLE",
    message: expect.stringContaining("srv129"),
  });
});

test("a snapshot that was begun before the question is no answer to it", async () => {
  await using coordinator = await startTestCoordinator();
  const { fleet } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => fleet.agent("srv127")?.facts);
  agent.holdsAnswers = true;
  const questions = () =>
    agent.received.flatMap((m) => (m.type === "observe-now" ? [m.question] : []));
  const answered: string[] = [];
  const ask = async (who: string): Promise<void> => {
    await fleet.observe(["srv127"]);
    answered.push(who);
  };
  const asking = [ask("first")];
  await waitFor(() => questions().length === 1);
  asking.push(ask("second"));
  await waitFor(() => questions().length === 2);
  const [first, second] = questions();
  agent.sendFacts();
  agent.sendFacts(first);
  await asking[0];
  expect(answered).toEqual(["first"]);
  agent.sendFacts(second);
  await Promise.all(asking);
});

test("an agent of before questions had numbers is asked without one", async () => {
  await using coordinator = await startTestCoordinator();
  const { fleet } = coordinator.core.ports;
  const agent = coordinator.agent("srv127", { isOlder: true });
  await waitFor(() => agent.isWelcome);
  await fleet.observe(["srv127"]);
  expect(agent.received).toContainEqual({ type: "observe-now" });
});

test("a question gets its validated answer, the agent's own failure, or says who did not answer", async () => {
  await using coordinator = await startTestCoordinator();
  const { fleet } = coordinator.core.ports;
  const agent = coordinator.agent("srv127", { script: () => done({ bytesPerSecond: 5 }) });
  await waitFor(() => agent.isWelcome);
  const ask = (timeoutMs: number) =>
    fleet.ask("srv127", "measure-wal-rate", { windowMs: 100 }, { timeoutMs });
  expect(await ask(1_000)).toEqual({ bytesPerSecond: 5 });
  agent.script = () => failed({ code: "REFUSED", message: "not allowed here" }, "refused");
  await expect(ask(1_000)).rejects.toMatchObject({ code: "REFUSED", message: "not allowed here" });
  agent.script = () => null;
  await expect(ask(300)).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
  const gone = ask(30_000);
  agent.breakLink();
  await expect(gone).rejects.toMatchObject({ message: expect.stringContaining("went away") });
});

test("a clock that is an hour off is seen", async () => {
  await using coordinator = await startTestCoordinator();
  const facts = someFacts();
  const host = { ...facts.host, clockMs: Date.now() + 3_600_000 };
  coordinator.agent("srv127", { facts: { ...facts, host } });
  const offset = await waitFor(() => {
    const view = coordinator.core.hub.view("srv127");
    return view?.facts && view.clockOffsetMs;
  });
  expect(Math.round(offset / 60_000)).toBe(60);
});

test("facts without the host's own section say nothing about its clock, however much later they come", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127");
  await waitFor(() => coordinator.core.hub.view("srv127")?.facts !== null);
  const clock = vi.spyOn(Date, "now");
  const elapsed = vi.spyOn(systemClock, "elapsedMs");
  try {
    const now = performance.now();
    clock.mockImplementation(() => performance.timeOrigin + now + 3_600_000);
    elapsed.mockImplementation(() => now + 3_600_000);
    const guard = { ...agent.facts.guard, mode: "maintenance" as const };
    agent.send({ type: "facts-changed", base: 1, version: 2, sections: { guard } });
    await waitFor(() => coordinator.core.hub.view("srv127")?.facts?.guard.mode === "maintenance");
    expect(Math.abs(coordinator.core.hub.view("srv127")?.clockOffsetMs ?? Infinity)).toBeLessThan(
      5_000,
    );
  } finally {
    clock.mockRestore();
    elapsed.mockRestore();
  }
});

test("a command expires by its agent's clock, wherever the coordinator's own is set to meanwhile", async () => {
  await using coordinator = await startTestCoordinator({ beginWithinMs: 60_000 });
  const agent = coordinator.agent("srv127");
  await waitFor(() => coordinator.core.hub.view("srv127")?.facts);
  const clock = vi.spyOn(Date, "now");
  try {
    const now = Math.round(performance.timeOrigin + performance.now());
    clock.mockImplementation(() => now - 86_400_000);
    coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
    const command = await waitFor(() => agent.commands[0]);
    expect(Math.abs(command.expiresAt - (now + 60_000))).toBeLessThan(10_000);
    // What preflight warns of: the agent is a day ahead of us now.
    const offset = coordinator.core.hub.view("srv127")?.clockOffsetMs ?? 0;
    expect(Math.round(offset / 3_600_000)).toBe(24);
  } finally {
    clock.mockRestore();
  }
});

test("a node that never joined stays unknown after somebody asked for its facts", async () => {
  await using coordinator = await startTestCoordinator();
  await expect(coordinator.core.hub.observe("srv999")).rejects.toThrow(/ever joined/);
  expect(coordinator.core.hub.view("srv999")).toBeNull();
});
