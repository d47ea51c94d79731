import { expect, test, vi } from "vitest";
import { maxMessageBytes } from "#shared/protocol/codec.ts";
import { closeCodes } from "#shared/protocol/messages.ts";
import { systemClock } from "#shared/time.ts";
import { version } from "#shared/version.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed } from "./scripted-agent.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { hbaStep, someOperation, somePlan, slotStep } from "./some-plan.ts";
import { settled } from "./settled.ts";
import { joinAgent, startTestCoordinator, type TestCoordinator } from "./test-coordinator.ts";

function eventsOf({ core }: TestCoordinator, kind: string) {
  return core.ports.store.events(0, 500).filter((event) => event.kind === kind);
}

test("a welcomed agent is told the epoch, the heartbeat and its baselines", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  expect(agent.received[0]).toMatchObject({
    type: "welcome",
    epoch: coordinator.core.ports.store.epoch,
    coordinatorVersion: version,
    heartbeat: { everyMs: 100, lostAfterMs: 500 },
  });
  expect(agent.received[1]).toEqual({ type: "baselines", files: [] });
});

test("a wrong secret and a node that never joined get the same refusal", async () => {
  await using coordinator = await startTestCoordinator();
  coordinator.secretOf("srv127");
  for (const node of ["srv127", "srv128"]) {
    const agent = coordinator.agent(node, { secret: "wrong" });
    const close = await waitFor(() => agent.closes[0]);
    expect(close.code).toBe(closeCodes.badSecret);
    expect(close.reason).toBe(`the secret of ${node} is wrong, or ${node} never joined`);
  }
  expect(coordinator.core.hub.view("srv127")?.connected).toBe(false);
  expect(eventsOf(coordinator, "agent:refused")).toHaveLength(2);
});

test("joining again makes the former secret worthless", async () => {
  await using coordinator = await startTestCoordinator();
  const former = coordinator.secretOf("srv127");
  const secret = joinAgent(coordinator.core, "srv127");
  const old = coordinator.agent("srv127", { secret: former });
  expect((await waitFor(() => old.closes[0])).code).toBe(closeCodes.badSecret);
  const fresh = coordinator.agent("srv127", { secret });
  await waitFor(() => fresh.isWelcome);
});

test("an agent of another protocol is closed with both numbers, whatever else its hello holds", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", { greet: false });
  await waitFor(() => agent.isOpen);
  agent.sendRaw(JSON.stringify({ type: "hello", protocol: 99, novelty: true }));
  const close = await waitFor(() => agent.closes[0]);
  expect(close.code).toBe(closeCodes.wrongProtocol);
  expect(close.reason).toMatch(/99.*speaks 1/);
});

test("an agent that says nothing after connecting is closed", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", { greet: false });
  const close = await waitFor(() => agent.closes[0]);
  expect(close).toEqual({ code: closeCodes.badMessage, reason: "no hello within 500 ms" });
});

test.each([
  ["truncated", '{"type":"facts","version":1,', /not JSON/],
  ["binary", Buffer.from([1, 2, 3]), /binary/],
  ["against the schema", '{"type":"facts","version":"one"}', /version/],
  ["of an unknown type", '{"type":"shell","run":"id"}', /type/],
])("a message that is %s closes the link and is recorded", async (_, data, reason) => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  agent.sendRaw(data);
  const close = await waitFor(() => agent.closes[0]);
  expect(close.code).toBe(closeCodes.badMessage);
  expect(close.reason).toMatch(reason);
  expect(eventsOf(coordinator, "agent:misspoke")).toHaveLength(1);
});

test("an oversized message closes the link without being read, and others work on", async () => {
  await using coordinator = await startTestCoordinator();
  const other = coordinator.agent("srv129");
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome && other.isWelcome);
  agent.sendRaw("x".repeat(maxMessageBytes + 1));
  const close = await waitFor(() => agent.closes[0]);
  expect(close.code).toBe(1009);
  await waitFor(() => eventsOf(coordinator, "agent:misspoke").length === 1);
  await coordinator.core.ports.fleet.observe(["srv129"]);
});

test("of two agents that claim a node the newcomer is refused while the first one lives, and an alert is raised", async () => {
  await using coordinator = await startTestCoordinator();
  const first = coordinator.agent("srv127");
  await waitFor(() => first.isWelcome);
  const second = coordinator.agent("srv127");
  const close = await waitFor(() => second.closes[0]);
  expect(close.code).toBe(closeCodes.alreadyConnected);
  expect(close.reason).toContain("another agent for srv127");
  expect(first.isOpen).toBe(true);
  const [alert] = coordinator.core.ports.store.alerts({ open: true });
  expect(alert).toMatchObject({ cause: "node:srv127:claimed-twice", severity: "critical" });
});

test("an agent whose former link is dead takes its place after the probe", async () => {
  await using coordinator = await startTestCoordinator();
  const first = coordinator.agent("srv127");
  await waitFor(() => first.isWelcome);
  first.freeze();
  const second = coordinator.agent("srv127");
  await waitFor(() => second.isWelcome);
  expect(coordinator.core.hub.linkOf("srv127")?.hello.instanceId).toBe(second.instanceId);
});

test("the same instance reconnects at once, its half-open link is dropped", async () => {
  await using coordinator = await startTestCoordinator({ claimProbeMs: 60_000 });
  const first = coordinator.agent("srv127");
  await waitFor(() => first.isWelcome);
  first.freeze();
  const again = coordinator.agent("srv127", { instanceId: first.instanceId });
  await waitFor(() => again.isWelcome);
});

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
