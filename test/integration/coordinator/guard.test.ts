import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { why } from "#coordinator/api/why.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import { confirmPrimary } from "#coordinator/guard/confirm-primary.ts";
import { setMaintenance } from "#coordinator/guard/maintenance.ts";
import type { Decision } from "#shared/domain/guard.ts";
import { knowsCluster, takesDecisions } from "#shared/protocol/messages.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createWorld } from "#test/unit/coordinator/world.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { done, failed } from "./scripted-agent.ts";
import { startTestCoordinator, type TestCoordinator } from "./test-coordinator.ts";

const hour = 3_600_000;

function decision(id: string, at: number, more: Partial<Decision> = {}): Decision {
  return {
    id,
    at,
    node: "srv129",
    rule: "database-dead",
    because: "the database ended without a clean stop",
    evidence: "its process is gone",
    class: "database",
    steps: [{ do: "start-database" }],
    outcome: "would",
    why: null,
    inputs: '{"database":{"status":"stopped"}}',
    nearMisses: [],
    ...more,
  };
}

async function connected(coordinator: TestCoordinator, node: string, facts = someFacts()) {
  const agent = coordinator.agent(node, { facts });
  await waitFor(() => coordinator.core.hub.view(node)?.facts);
  return agent;
}

/** srv127 and srv129 in one cluster; its file is written as a person would. */
function declare({ core, state }: TestCoordinator, name = "ESHA"): void {
  const { declaration } = createWorld();
  mkdirSync(join(state.path, "clusters"), { recursive: true });
  core.ports.clusterFiles.create(name, printClusterYaml({ ...declaration, name }));
}

test("agents are told how their cluster is declared and of one another, and those of before are told nothing", async () => {
  await using coordinator = await startTestCoordinator();
  const standby = { ...someFacts().database, role: "standby" as const };
  const now = coordinator.agent("srv127", { knowsCluster: true });
  const before = coordinator.agent("srv129", { facts: someFacts({ database: standby }) });
  await waitFor(() => now.isWelcome && before.isWelcome);
  expect([now.protocol, before.protocol]).toEqual([knowsCluster, takesDecisions]);
  declare(coordinator);
  const sights = () => now.received.flatMap((message) => (message.type === "sights" ? message.peers : [])); // prettier-ignore
  await waitFor(() => sights().some(({ node, database }) => node === "srv129" && database === "standby")); // prettier-ignore
  expect(now.received.find(({ type }) => type === "cluster-view")).toMatchObject({
    cluster: "ESHA",
    view: { nodes: [{ name: "srv127" }, { name: "srv129" }] },
  });
  expect(before.received.filter(({ type }) => ["cluster-view", "sights"].includes(type))).toEqual([]); // prettier-ignore
  now.breakLink();
  const again = coordinator.agent("srv127", { knowsCluster: true });
  await waitFor(() => again.received.some(({ type }) => type === "cluster-view"));
});

test("a decision is taken once however often it is told, under the name of the node that told it", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = await connected(coordinator, "srv129");
  expect(agent.protocol).toBe(takesDecisions);
  const told = decision("d1", Date.now(), { node: "srv127" });
  for (let i = 0; i < 2; i += 1) agent.send({ type: "decision", decision: told });
  await waitFor(
    () => agent.received.filter(({ type }) => type === "decision-acknowledged").length === 2,
  );
  const { store } = coordinator.core.ports;
  expect(store.decisions("srv129").map((record) => record.decision)).toEqual([
    { ...told, node: "srv129" },
  ]);
  expect(store.decisions("srv127")).toEqual([]);
});

test("what was begun is ended in its place, and what has ended is not begun again by a late message", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv129", { knowsCluster: true, facts: someFacts() });
  await waitFor(() => agent.isWelcome);
  const { store } = coordinator.core.ports;
  const begun = decision("d1", 5_000, { outcome: "begun" });
  const done = decision("d1", 5_000, { outcome: "done", why: "it runs" });
  for (const told of [begun, done, begun]) agent.send({ type: "decision", decision: told });
  const acknowledged = () =>
    agent.received.flatMap((m) => (m.type === "decision-acknowledged" ? [m.outcome] : []));
  await waitFor(() => acknowledged().length === 3);
  // Each names what it was told: by the first of them the agent knows that only the beginning is recorded.
  expect(acknowledged()).toEqual(["begun", "done", "begun"]);
  expect(store.decisions("srv129").map((record) => record.decision)).toEqual([done]);
});

test("what a guard edited is accepted as it made it, once, and no file besides", async () => {
  await using coordinator = await startTestCoordinator();
  const path = "/data/postgresql.auto.conf";
  const seen = (hash: string) => ({ path, format: "auto-conf" as const, state: "present" as const, hash, owner: "1:1", mode: 0o600, modifiedAt: 0, maskedText: null }); // prettier-ignore
  const agent = await connected(coordinator, "srv129", someFacts({ files: [seen("a")] }));
  const { store } = coordinator.core.ports;
  const baselines = () => store.baselines("srv129").map(({ path: name, hash }) => `${name} ${hash}`); // prettier-ignore
  await waitFor(() => baselines().includes(`${path} a`));
  const tell = async (id: string, hash: string, from: string) => {
    const files = [{ path, hash, from }, { path: "/data/pg_wal/1", hash: null, from: "w" }]; // prettier-ignore
    const before = agent.received.length;
    agent.send({ type: "decision", decision: decision(id, Date.now(), { outcome: "done", files }) }); // prettier-ignore
    await waitFor(() => agent.received.slice(before).some(({ type }) => type === "decision-acknowledged")); // prettier-ignore
  };
  await tell("d1", "b", "a");
  expect(baselines()).toEqual([`${path} b`]);
  expect(store.baselines("srv129")[0]?.acceptedBy).toBe("guard/database-dead");
  await tell("d2", "a", "b");
  expect(baselines()).toEqual([`${path} a`]);
  // Told again after a restart of its agent: it is of the past.
  await tell("d1", "b", "a");
  expect(baselines()).toEqual([`${path} a`]);
  // On top of what somebody else wrote.
  await tell("d3", "d", "c");
  expect(baselines()).toEqual([`${path} a`]);
});

test("of each node the newest five hundred are kept", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  store.addDecision("srv127", decision("other", 1), 1);
  for (let at = 1; at <= 520; at += 1) store.addDecision("srv129", decision(`d${at}`, at), at);
  const kept = store.decisions("srv129");
  expect([kept.length, kept[0]?.at, kept.at(-1)?.at]).toEqual([500, 520, 21]);
  expect(store.decisions("srv127")).toHaveLength(1);
});

test("a clock that differs does not move a decision to another moment", async () => {
  await using coordinator = await startTestCoordinator();
  const ahead = someFacts();
  const agent = await connected(coordinator, "srv129", {
    ...ahead,
    host: { ...ahead.host, clockMs: Date.now() + hour },
  });
  const now = Date.now();
  agent.send({ type: "decision", decision: decision("d1", now + hour) });
  const [kept] = await waitFor(() => {
    const all = coordinator.core.ports.store.decisions("srv129");
    return all.length === 0 ? null : all;
  });
  expect(Math.abs((kept?.at ?? 0) - now)).toBeLessThan(60_000);
});

test("a moment is told by the facts, the rule that fired, those that nearly did, and what stood then", async () => {
  await using coordinator = await startTestCoordinator();
  await connected(coordinator, "srv129");
  const { ports } = coordinator.core;
  const nearMisses = [{ rule: "archiver-behind", evidence: "5", missing: "10" }];
  ports.store.addDecision("srv129", decision("a", 1_000, { rule: "archiver-failing" }), 1_000);
  ports.store.addDecision("srv129", decision("b", 2_000, { nearMisses }), 2_000);
  ports.store.addDecision("srv129", decision("c", 3_000, { outcome: "cleared" }), 3_000);
  expect(why(ports, "srv129", 2_500).moment).toMatchObject({
    decidedAt: 2_000,
    decisions: [{ rule: "database-dead", outcome: "would" }],
    inputs: { database: { status: "stopped" } },
    nearMisses,
    standing: [
      { rule: "archiver-failing", since: 1_000 },
      { rule: "database-dead", since: 2_000 },
    ],
  });
  expect(why(ports, "srv129", 3_000).moment).toMatchObject({
    decisions: [{ outcome: "cleared" }],
    standing: [{ rule: "archiver-failing" }],
  });
  expect(why(ports, "srv129", null).moment?.decidedAt).toBe(3_000);
});

test("what was tried twice stands since its beginning, with what was seen of it last", async () => {
  await using coordinator = await startTestCoordinator();
  await connected(coordinator, "srv129");
  const { ports } = coordinator.core;
  const tried = { outcome: "failed", evidence: "still gone" } as const;
  ports.store.addDecision("srv129", decision("a", 1_000), 1_000);
  ports.store.addDecision("srv129", decision("b", 2_000, tried), 2_000);
  expect(why(ports, "srv129", null).moment?.standing).toMatchObject([
    { rule: "database-dead", since: 1_000, evidence: "still gone" },
  ]);
});

test("a moment that nobody can tell of is refused, saying what there is", async () => {
  await using coordinator = await startTestCoordinator();
  await connected(coordinator, "srv129");
  const { ports } = coordinator.core;
  expect(() => why(ports, "nobody", 1)).toThrow(/no operation or node nobody/);
  expect(() => why(ports, "srv129", 1)).toThrow(/No decision of srv129's guard is kept/);
  ports.store.addDecision("srv129", decision("a", 5_000), 5_000);
  expect(() => why(ports, "srv129", 1)).toThrow(/the oldest is of 1970-01-01T00:00:05/);
  expect(() => why(ports, "srv129", Date.now() + hour)).toThrow(/in the future/);
  expect(why(ports, "srv129", null).moment?.decidedAt).toBe(5_000);
});

const guard = { mode: "maintenance", until: Date.now() + hour, by: "dba", note: null } as const;
const offers = (verbs: string[]) => {
  const facts = someFacts();
  return { ...facts, agent: { ...facts.agent, verbs } };
};
const request = { what: "srv129", forMs: hour, note: "disks", requestedBy: "dba@host" };

function maintain(coordinator: TestCoordinator, more: Partial<typeof request> | { forMs: null }) {
  const { ports, alerting } = coordinator.core;
  return setMaintenance({ ...ports, alerting }, { ...request, ...more });
}

test("maintenance is set by the agent, then the guard's alerts are muted; both end together", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = await connected(coordinator, "srv129", offers(["set-maintenance"]));
  agent.script = () => done({ alreadyDone: false, lines: [], files: [], guard });
  const { store } = coordinator.core.ports;
  expect((await maintain(coordinator, {})).nodes).toEqual([
    { node: "srv129", guard, failure: null },
  ]);
  expect(agent.commands.at(-1)?.args).toEqual({ forMs: hour, by: "dba@host", note: "disks" });
  expect(store.mutes()).toMatchObject([
    { pattern: "node:srv129:guard:*", mutedBy: "dba@host", note: "maintenance: disks" },
  ]);
  for (const cause of ["guard:database-dead", "guard-mode", "wal-budget:slot_srv159"]) {
    store.raiseAlert({ cause: `node:srv129:${cause}`, severity: "critical", node: "srv129", summary: "", detail: "" }, 1); // prettier-ignore
  }
  const muted = store.alerts({ open: true }).filter(({ isMuted }) => isMuted);
  expect(muted.map(({ cause }) => cause)).toEqual(["node:srv129:guard:database-dead"]);
  await maintain(coordinator, { forMs: null });
  expect(agent.commands.at(-1)?.args).toMatchObject({ forMs: null });
  expect(store.mutes()).toEqual([]);
});

test("an agent that refuses, or is of before, or away, mutes nothing, and the others go on", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = await connected(coordinator, "srv129", offers(["set-maintenance"]));
  agent.script = () => failed({ code: "REFUSED", message: "not today" }, "refused");
  await connected(coordinator, "srv127", offers(["probe-reach"]));
  const failures = [];
  for (const what of ["srv129", "srv127"]) {
    failures.push((await maintain(coordinator, { what })).nodes[0]?.failure?.message);
  }
  agent.breakLink();
  await waitFor(() => coordinator.core.hub.view("srv129")?.connected === false);
  failures.push((await maintain(coordinator, {})).nodes[0]?.failure?.message);
  expect(failures).toEqual([
    "not today",
    "The agent of srv127 does not offer set-maintenance.",
    expect.stringContaining("is not connected"),
  ]);
  expect(coordinator.core.ports.store.mutes()).toEqual([]);
  await expect(maintain(coordinator, { what: "nobody" })).rejects.toThrow(/no cluster or node/);
});

test("a person's word for a fenced node goes to its agent, which has the last word", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = await connected(coordinator, "srv129", offers(["confirm-primary"]));
  await connected(coordinator, "srv127", offers(["probe-reach"]));
  const { ports } = coordinator.core;
  const say = (node: string) => confirmPrimary(ports, { node, requestedBy: "dba@host" });
  agent.script = () => done({ alreadyDone: false, lines: ["it opens"], files: [] });
  expect(await say("srv129")).toEqual({ node: "srv129", lines: ["it opens"] });
  expect(agent.commands.at(-1)).toMatchObject({
    kind: "confirm-primary",
    args: { by: "dba@host" },
  });
  agent.script = () => failed({ code: "REFUSED", message: "srv159 is a primary" }, "refused");
  await expect(say("srv129")).rejects.toThrow("srv159 is a primary");
  await expect(say("srv127")).rejects.toThrow("does not offer confirm-primary");
  await expect(say("nobody")).rejects.toThrow("There is no node nobody.");
});
