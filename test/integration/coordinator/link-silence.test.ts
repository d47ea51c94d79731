import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { pipeline, Transform } from "node:stream";
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

test("a coordinator that did not run for a while takes no agent for silent", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  // Nothing of this process runs: no beat, and no answer is read.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  await coordinator.core.ports.fleet.observe(["srv127"]);
  expect(eventsOf(coordinator, "agent:lost")).toEqual([]);
});

test("an agent whose long message is on its way is not silent, however slow the road", async () => {
  await using coordinator = await startTestCoordinator();
  await using road = await slowRoad(coordinator.core.agentPort, { bytesPerMs: 2 * 1024 });
  const agent = coordinator.agent("srv127", { port: road.port });
  await waitFor(() => coordinator.core.hub.view("srv127")?.facts);
  const { facts } = agent;
  const longName = "x".repeat(4 * 1024 * 1024);
  agent.facts = { ...facts, host: { ...facts.host, hostname: longName } };
  agent.sendFacts();
  await waitFor(
    () => coordinator.core.hub.view("srv127")?.facts?.host.hostname.length === longName.length,
  );
  expect(eventsOf(coordinator, "agent:lost")).toEqual([]);
});

/** A door to a local port through which no more than this passes in each direction. */
async function slowRoad(
  to: number,
  { bytesPerMs }: { readonly bytesPerMs: number },
): Promise<AsyncDisposable & { readonly port: number }> {
  const narrow = () =>
    new Transform({
      transform: (chunk: Buffer, _, next) =>
        void setTimeout(() => next(null, chunk), chunk.length / bytesPerMs),
    });
  const open: Socket[] = [];
  const server = createServer((inner) => {
    open.push(inner);
    const outer = connect(to, "127.0.0.1");
    pipeline(inner, narrow(), outer, narrow(), inner, () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const inner of open) inner.destroy();
      await once(server, "close");
    },
  };
}
