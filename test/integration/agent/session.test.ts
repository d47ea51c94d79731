import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { startAgent } from "#agent/start-agent.ts";
import type { AgentSettings } from "#agent/settings.ts";
import type { CommandEnvelope } from "#shared/domain/commands.ts";
import { ClusterView } from "#shared/domain/cluster-view.ts";
import { createLog, type Log } from "#shared/log.ts";
import { knowsCluster, takesDecisions } from "#shared/protocol/messages.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { peer, threeNodes } from "#test/unit/agent/decide/view-builder.ts";
import { makeAgentHome } from "./agent-settings.ts";
import { FakeCoordinator, makeCertificate, type Credentials } from "./fake-coordinator.ts";

let credentials: Credentials;
let others: Credentials;
beforeAll(async () => {
  [credentials, others] = await Promise.all([makeCertificate(), makeCertificate()]);
});

const log = createLog("test", "silent");

/** A logger whose warnings and errors the test reads. */
function listeningLog(): { readonly log: Log; readonly said: Record<string, unknown>[] } {
  const said: Record<string, unknown>[] = [];
  const listening = createLog("test", "warn");
  const keep = (fields: unknown, msg?: string): void => {
    said.push({ ...(typeof fields === "object" ? fields : {}), msg });
  };
  Object.assign(listening, { warn: keep, error: keep, child: () => listening });
  return { log: listening, said };
}

function start(settings: AgentSettings, logger: Log = log) {
  const heap = { collectSoon: () => undefined };
  return startAgent({ settings, log: logger, pid: process.pid, home: "/", heap, watchdogMs: null });
}

async function recordOf({ stateDirectory }: AgentSettings, id: string): Promise<string> {
  const folder = join(stateDirectory, "commands");
  const texts = await Promise.all(
    (await readdir(folder))
      .filter((name) => name.endsWith(".json"))
      .map((name) => readFile(join(folder, name), "utf8")),
  );
  return texts.find((text) => text.includes(`"key":"${id}"`)) ?? "";
}

function measure(id: string, more: Partial<CommandEnvelope> = {}): CommandEnvelope {
  return {
    id,
    epoch: 1,
    operationId: null,
    stepId: "probe",
    kind: "probe-reach",
    phase: "run",
    args: { tcp: [], ssh: [] },
    expiresAt: Date.now() + 60_000,
    preconditions: { systemIdentifier: null, role: null, timeline: null },
    ...more,
  };
}

test("after a cut the agent is back at once, sends its facts whole, and repeats what nobody acknowledged", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await coordinator.next("facts");
  coordinator.send({ type: "command", command: measure("p/1") });
  await coordinator.ended("p/1");
  coordinator.connection?.terminate();
  await coordinator.next("command-ended", 2);
  expect(coordinator.of("command-ended").map((m) => m.commandId)).toEqual(["p/1", "p/1"]);
  await coordinator.next("facts", 2);
  const hellos = coordinator.of("hello");
  expect(hellos.map((m) => m.instanceId)).toEqual([hellos[0]?.instanceId, hellos[0]?.instanceId]);

  coordinator.send({ type: "command-acknowledged", commandId: "p/1" });
  coordinator.send({ type: "command", command: measure("p/2") });
  await coordinator.ended("p/2");
  coordinator.send({ type: "command-acknowledged", commandId: "p/2" });
  // One that is cut off before it is on disk is as good as none.
  await waitFor(async () => (await recordOf(home.settings, "p/2")).includes('"acknowledged":true'));
  coordinator.connection?.terminate();
  await coordinator.next("facts", 3);
  coordinator.send({ type: "command", command: measure("p/3") });
  await coordinator.ended("p/3");
  expect(coordinator.of("command-ended").map((m) => m.commandId)).toEqual([
    "p/1",
    "p/1",
    "p/2",
    "p/3",
  ]);
  expect(coordinator.bad).toEqual([]);
});

test("a coordinator that is away for a while finds the agent again on its port", async () => {
  const first = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(first);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await first.next("facts");
  await first[Symbol.asyncDispose]();
  await using second = await FakeCoordinator.start(credentials, first.port);
  second.epoch = 2;
  await second.next("facts");
  expect((await second.next("hello")).highestEpoch).toBe(1);
});

test("another certificate at the coordinator's address never sees the secret", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator);
  await coordinator[Symbol.asyncDispose]();
  await using impostor = await FakeCoordinator.start(others, coordinator.port);
  const { log: logger, said } = listeningLog();
  await using agent = await start(home.settings, logger);
  expect(agent).toBeDefined();
  await waitFor(() => said.find((line) => String(line["hint"]).includes("pinned at join")));
  expect(impostor.authorizations).toEqual([]);
});

test("a wrong secret is said clearly, and tried again slowly", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator, { node: "srv127" });
  const { log: logger, said } = listeningLog();
  await using agent = await start(home.settings, logger);
  expect(agent).toBeDefined();
  await waitFor(() => said.find((line) => String(line["hint"]).includes("Join again")));
  expect(coordinator.authorizations).toHaveLength(1);
  expect(JSON.stringify(said)).not.toContain(coordinator.secret);
});

test.each([
  ["binary", Buffer.from([1, 2, 3])],
  ["truncated", '{"type":"comm'],
  ["of no known type", '{"type":"run-shell","command":"id"}'],
  ["with a field too many", '{"type":"resend-facts","please":true}'],
])(
  "a message that is %s is answered with close code 4400, and the agent comes back",
  async (_, data) => {
    await using coordinator = await FakeCoordinator.start(credentials);
    await using home = await makeAgentHome(coordinator);
    await using agent = await start(home.settings);
    expect(agent).toBeDefined();
    await coordinator.next("facts");
    const closed = new Promise<number>((resolve) => coordinator.connection?.once("close", resolve));
    coordinator.sendRaw(data);
    expect(await closed).toBe(4400);
    await coordinator.next("facts", 2);
  },
);

test("a message larger than the limit ends the link, not the agent", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await coordinator.next("facts");
  coordinator.sendRaw("x".repeat(9 * 1024 * 1024));
  await coordinator.next("facts", 2);
});

/** An agent that has told its facts, over a link on which nothing may be silent for long. */
async function impatientLink() {
  const coordinator = await FakeCoordinator.start(credentials);
  coordinator.heartbeat = { everyMs: 50, lostAfterMs: 200 };
  const home = await makeAgentHome(coordinator);
  const agent = await start(home.settings);
  await coordinator.next("facts");
  const opened = [agent, home, coordinator];
  return {
    coordinator,
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) await one[Symbol.asyncDispose]();
    },
  };
}

test("a coordinator that no longer answers pings is given up and dialled anew", async () => {
  await using link = await impatientLink();
  const { coordinator } = link;
  coordinator.autoPong = false;
  await coordinator.next("hello", 2);
});

test("an agent that was frozen takes nothing from the link that was given up meanwhile", async () => {
  await using link = await impatientLink();
  const { coordinator } = link;
  coordinator.send({ type: "command", command: measure("stale") });
  // Nothing of this process runs, the agent included: what was sent waits in its socket.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
  await coordinator.next("hello", 2);
  await coordinator.next("facts", 2);
  coordinator.send({ type: "command", command: measure("fresh") });
  await coordinator.ended("fresh");
  expect(coordinator.of("command-accepted").map(({ commandId }) => commandId)).toEqual(["fresh"]);
});

test("an agent whose clock is set says so before it takes another command: expiry is counted by it", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  coordinator.heartbeat = { everyMs: 60_000, lostAfterMs: 600_000 };
  await using home = await makeAgentHome(coordinator);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await coordinator.next("facts");
  const beforehand = measure("sent");
  const clock = vi.spyOn(Date, "now");
  onTestFinished(() => clock.mockRestore());
  clock.mockImplementation(() => performance.timeOrigin + performance.now() + 86_400_000);
  coordinator.send({ type: "command", command: beforehand });
  const hello = await coordinator.next("hello", 2);
  expect(Math.abs(hello.clockMs - Date.now())).toBeLessThan(10_000);
  await coordinator.next("facts", 2);
  coordinator.send({ type: "command", command: measure("sent") });
  expect(await coordinator.ended("sent")).toMatchObject({ outcome: "done" });
  expect(coordinator.of("command-ended")).toHaveLength(1);
});

test("another protocol is said clearly and ends with close code 4426", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  coordinator.welcomes = false;
  await using home = await makeAgentHome(coordinator);
  const { log: logger, said } = listeningLog();
  await using agent = await start(home.settings, logger);
  expect(agent).toBeDefined();
  await coordinator.next("hello");
  const closed = new Promise<number>((resolve) => coordinator.connection?.once("close", resolve));
  const welcome = coordinator.welcome();
  coordinator.sendRaw(JSON.stringify({ ...welcome, protocol: 99 }));
  expect(await closed).toBe(4426);
  await waitFor(() => said.find((line) => String(line["reason"]).includes("protocol 99")));
});

test("a second agent with the same state directory is refused, naming the first one's pid", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await expect(start(home.settings)).rejects.toThrow(`pid ${process.pid}`);
});

const kept = {
  id: "d1",
  at: 1,
  node: "srv159",
  rule: "database-dead",
  because: "the database ended without a clean stop",
  evidence: "its process is gone",
  class: "database",
  steps: [],
  outcome: "would",
  why: null,
  inputs: "{}",
  nearMisses: [],
};

test("decisions from before a restart are told, and again over a new link until they are taken", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  coordinator.protocol = takesDecisions;
  await using home = await makeAgentHome(coordinator);
  await writeFile(
    join(home.settings.stateDirectory, "decisions.jsonl"),
    `${JSON.stringify(kept)}\n`,
  );
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  expect((await coordinator.next("decision")).decision).toEqual(kept);
  coordinator.connection?.terminate();
  await coordinator.next("decision", 2);
  coordinator.send({ type: "decision-acknowledged", id: "d1" });
  coordinator.send({ type: "command", command: measure("p/1") });
  await coordinator.ended("p/1");
  coordinator.connection?.terminate();
  await coordinator.next("hello", 3);
  coordinator.send({ type: "command", command: measure("p/2") });
  await coordinator.ended("p/2");
  expect(coordinator.of("decision")).toHaveLength(2);
});

test("a coordinator of before is told no decision, which it would take for a bad message", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator);
  await writeFile(
    join(home.settings.stateDirectory, "decisions.jsonl"),
    `${JSON.stringify(kept)}\n`,
  );
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await coordinator.next("facts");
  coordinator.send({ type: "command", command: measure("p/1") });
  await coordinator.ended("p/1");
  expect(coordinator.of("decision")).toEqual([]);
});

test("what a coordinator says of the cluster is kept, and one that is outranked is not believed", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  coordinator.protocol = knowsCluster;
  coordinator.epoch = 2;
  await using home = await makeAgentHome(coordinator, { node: "srv159" });
  const kept = async () =>
    ClusterView.parse(JSON.parse(await readFile(join(home.settings.stateDirectory, "cluster-view.json"), "utf8")).view); // prettier-ignore
  const tell = (view: ClusterView) => coordinator.send({ type: "cluster-view", cluster: "ESHA", view }); // prettier-ignore
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await coordinator.next("facts");
  tell(threeNodes());
  await waitFor(async () => (await kept().catch(() => null))?.at === 1);
  coordinator.send({ type: "sights", peers: [peer("srv127", { from: "coordinator" })] });
  coordinator.epoch = 1;
  coordinator.connection?.terminate();
  await coordinator.next("facts", 2);
  tell(threeNodes({ at: 2, trustAddresses: [] }));
  coordinator.send({ type: "command", command: measure("p/1") });
  await coordinator.ended("p/1");
  expect(await kept()).toEqual(threeNodes());
  expect(coordinator.bad).toEqual([]);
});

test("what an operation reserves is shown until it is given back, and an outranked coordinator reserves nothing", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  coordinator.protocol = knowsCluster;
  coordinator.epoch = 2;
  await using home = await makeAgentHome(coordinator);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  const reserve = (operationId: string, forMs: number): void => {
    coordinator.send({ type: "reserve", operationId, classes: ["database", "role"], forMs });
  };
  const shown = () => {
    const guards = [...coordinator.of("facts").map(({ facts }) => facts.guard), ...coordinator.of("facts-changed").map(({ sections }) => sections.guard)]; // prettier-ignore
    return guards.findLast((guard) => guard !== undefined)?.reserved?.map((held) => `${held.class} ${held.by}`); // prettier-ignore
  };
  await coordinator.next("facts");
  reserve("op-abcdefgh", 60_000);
  await waitFor(() => shown()?.join() === "database op-abcdefgh,role op-abcdefgh");
  reserve("op-abcdefgh", 0);
  await waitFor(() => shown()?.length === 0);
  coordinator.epoch = 1;
  coordinator.connection?.terminate();
  await coordinator.next("facts", 2);
  reserve("op-outranked", 60_000);
  coordinator.send({ type: "observe-now" });
  await coordinator.next("facts", 3);
  expect(coordinator.of("facts").at(-1)?.facts.guard.reserved).toEqual([]);
  expect(coordinator.bad).toEqual([]);
});

test("a node that another coordinator declares in another cluster keeps what it knew, with an alert", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  coordinator.protocol = knowsCluster;
  await using home = await makeAgentHome(coordinator);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  await coordinator.next("facts");
  const tell = (cluster: string) => coordinator.send({ type: "cluster-view", cluster, view: threeNodes({ cluster }) }); // prettier-ignore
  const told = () => coordinator.of("host-event").filter(({ cause }) => cause === "cluster-view");
  tell("ESHA");
  tell("OTHER");
  await waitFor(() => told().length === 1);
  expect(told()[0]?.detail).toContain("cluster OTHER; kept is ESHA");
  tell("ESHA");
  await waitFor(() => told().at(-1)?.kind === "guard-cleared");
});

test("maintenance is begun and ended by command, and the facts say so", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator);
  await using agent = await start(home.settings);
  expect(agent).toBeDefined();
  const set = (id: string, forMs: number | null) =>
    coordinator.send({
      type: "command",
      command: measure(id, {
        kind: "set-maintenance",
        args: { forMs, by: "dba@host", note: "disks" },
      }),
    });
  const shownMode = () => {
    const shown = [...coordinator.of("facts").map(({ facts }) => facts.guard), ...coordinator.of("facts-changed").map(({ sections }) => sections.guard)]; // prettier-ignore
    return shown.findLast((guard) => guard !== undefined);
  };
  await coordinator.next("facts");
  set("m/1", 3_600_000);
  expect(await coordinator.ended("m/1")).toMatchObject({
    outcome: "done",
    result: { guard: { mode: "maintenance", by: "dba@host", note: "disks" } },
  });
  await waitFor(() => shownMode()?.mode === "maintenance");
  expect(shownMode()?.maintenance).toMatchObject({ by: "dba@host", note: "disks" });
  set("m/2", null);
  expect(await coordinator.ended("m/2")).toMatchObject({ result: { guard: { mode: "observe" } } });
  await waitFor(() => shownMode()?.mode === "observe");
});
