import { expect, test } from "vitest";
import { maxMessageBytes } from "#shared/protocol/codec.ts";
import { closeCodes } from "#shared/protocol/messages.ts";
import { version } from "#shared/version.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { eventsOf, joinAgent, startTestCoordinator } from "./test-coordinator.ts";

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
