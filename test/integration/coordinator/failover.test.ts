import { mkdirSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import type { CommandEnvelope } from "#shared/domain/commands.ts";
import type { DatabaseFacts } from "#shared/domain/facts.ts";
import type { FailoverAnswer } from "#shared/protocol/messages.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { noDatabase, someDatabase } from "#test/unit/database-facts.ts";
import { createWorld } from "#test/unit/coordinator/world.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { done, failed, type ScriptedAgent } from "./scripted-agent.ts";
import { startTestCoordinator, type TestCoordinator } from "./test-coordinator.ts";

type Answer = { readonly status: number; readonly body: FailoverAnswer };
const lost = { backendId: 0, host: "192.168.4.127", port: 5432 };

test("a primary that is proved to be stopped is replaced by the most advanced standby, once for both pools' calls", async () => {
  await using coordinator = await startTestCoordinator();
  const { srv127, srv129, srv159 } = await cluster(coordinator);
  const answers = await Promise.all([call(coordinator, "srv127"), call(coordinator, "srv129")]);
  expect(answers.map(({ body }) => body)).toMatchObject([
    { outcome: "promoted", primary: "srv159" },
    { outcome: "promoted", primary: "srv159" },
  ]);
  expect(kinds(srv127)).toContain("fence");
  expect(kinds(srv129)).not.toContain("promote");
  expect(kinds(srv159).filter((kind) => kind === "promote")).toEqual(["promote"]);
  const { store } = coordinator.core.ports;
  await waitFor(() => store.operations()[0]?.state === "succeeded");
  expect(store.operations()).toMatchObject([{ kind: "failover", subject: "srv159", requestedBy: expect.stringContaining("pool of srv12") }]); // prettier-ignore
  expect(store.leaseHolder("ESHA")).toBeNull();
  // Told once more, there is somebody who leads.
  srv159.facts = someFacts({ database: someDatabase({ timeline: 2 }) });
  expect((await call(coordinator, "srv129")).body).toMatchObject({ outcome: "led", primary: "srv159" }); // prettier-ignore
});

test("two calls are one failover also where another operation holds the cluster, which keeps it", async () => {
  await using coordinator = await startTestCoordinator();
  await cluster(coordinator);
  const { store, clusterFiles } = coordinator.core.ports;
  const { declaration, hash } = clusterFiles.load("ESHA");
  const other = { id: "op-abcdefghijkm", kind: "pool-prepare", cluster: "ESHA", subject: "srv159", requestedBy: "a", requestedAt: 1 } as const; // prettier-ignore
  store.createOperation(other, { declaration, declarationHash: hash, checks: [], forecast: null, steps: [], notes: [] }, { onFailure: "pause" }); // prettier-ignore
  expect((await call(coordinator, "srv127")).body).toMatchObject({ outcome: "promoted" });
  expect(store.leaseHolder("ESHA")?.id).toBe(other.id);
});

test("an operation that changes roles says who leads: nobody else is promoted, nobody fenced", async () => {
  await using coordinator = await startTestCoordinator();
  const { srv127 } = await cluster(coordinator);
  const { store, clusterFiles } = coordinator.core.ports;
  const { declaration, hash } = clusterFiles.load("ESHA");
  store.createOperation(
    { id: "op-abcdefghijkm", kind: "switchover", cluster: "ESHA", subject: "srv129", requestedBy: "a", requestedAt: 1 }, // prettier-ignore
    { declaration, declarationHash: hash, checks: [], forecast: null, steps: [], notes: [], reserves: [{ node: "srv127", classes: ["role"] }] }, // prettier-ignore
    { onFailure: "pause" },
  );
  const { body } = await call(coordinator, "srv127");
  expect(body).toMatchObject({ outcome: "held", because: expect.stringContaining("switchover srv129 (op-abcdefghijkm, planned)") }); // prettier-ignore
  expect(kinds(srv127)).not.toContain("fence");
  const alerts = () => store.alerts({ open: true }).filter(({ cause }) => cause.startsWith("failover:")); // prettier-ignore
  expect(alerts()).toEqual([]);
  // One that rests leaves the cluster without a primary: a person has to know.
  store.setOperationState("op-abcdefghijkm", "paused", 2);
  expect((await call(coordinator, "srv127")).body.outcome).toBe("waits");
  expect(alerts()).toMatchObject([{ cause: "failover:ESHA", severity: "critical", node: "srv127" }]); // prettier-ignore
});

test("a drill of the primary lets it be replaced, until it takes its fault back", async () => {
  await using coordinator = await startTestCoordinator();
  await cluster(coordinator);
  const { store, clusterFiles } = coordinator.core.ports;
  const { declaration, hash } = clusterFiles.load("ESHA");
  const id = "op-abcdefghijkm";
  const faulty = {
    id: "drill/srv127",
    phase: "drill",
    title: "",
    preview: [],
    on: null,
    kind: "drill",
    args: { node: "srv127", fault: "kill-primary", client: "srv129", pool: { host: "192.168.4.129", port: 9999, user: "u", database: "d" }, streams: [], beforeMs: 1, afterMs: 1, stallMs: 1 }, // prettier-ignore
  } as const;
  store.createOperation(
    { id, kind: "drill", cluster: "ESHA", subject: "srv127", requestedBy: "a", requestedAt: 1 },
    { declaration, declarationHash: hash, checks: [], forecast: null, steps: [faulty], notes: [] },
    { onFailure: "rollback" },
  );
  store.setOperationState(id, "rolling-back", 2);
  expect((await call(coordinator, "srv127")).body).toMatchObject({ outcome: "held" });
  store.setOperationState(id, "running", 3);
  expect((await call(coordinator, "srv127")).body).toMatchObject({ outcome: "promoted" });
  // What a drill asks for as a part of its own goes on under its lease, and has the word on who leads.
  await waitFor(() => store.operations({ unfinished: true }).length === 1);
  const part = { id: "op-bcdefghijkmn", kind: "switchover", cluster: "ESHA", subject: "srv127", requestedBy: `part of ${id}`, requestedAt: 4 } as const; // prettier-ignore
  const plan = { declaration, declarationHash: hash, checks: [], forecast: null, steps: [], notes: [], reserves: [{ node: "srv127", classes: ["role" as const] }] }; // prettier-ignore
  expect(store.createOperation(part, plan, { onFailure: "rollback" })).toMatchObject({ heldBy: { id } }); // prettier-ignore
  store.createOperation(part, plan, { onFailure: "rollback", under: id });
  expect((await call(coordinator, "srv127")).body).toMatchObject({ outcome: "held", because: expect.stringContaining("switchover srv127") }); // prettier-ignore
  expect(store.leaseHolder("ESHA")?.id).toBe(id);
});

test(
  "without the proof nobody is promoted, and an alert says why",
  { timeout: 60_000 },
  async () => {
    await using coordinator = await startTestCoordinator();
    const { srv127, srv129, srv159 } = await cluster(coordinator);
    srv127.script = () => failed({ code: "REFUSED", message: "it was a standby" }, "refused");
    const { body } = await call(coordinator, "srv129");
    expect(body).toMatchObject({ outcome: "waits", primary: null });
    expect(body.because).toBe("srv127 is not proved to be stopped: it was a standby");
    expect([...kinds(srv129), ...kinds(srv159)]).not.toContain("promote");
  },
);

test("standbys that its guard let commits go without take the place of no primary", async () => {
  await using coordinator = await startTestCoordinator();
  const { srv129, srv159 } = await cluster(coordinator);
  const { clock, store } = coordinator.core.ports;
  const decided = (id: string, names: string, notPromotable: readonly string[]) =>
    store.addDecision("srv127", { id, at: clock.now(), node: "srv127", rule: "synchronous-without-standby", because: "it waits", evidence: "", class: "sync", steps: [{ do: "synchronous", names, notPromotable: [...notPromotable] }], outcome: "done", why: null, inputs: "{}", nearMisses: [] }, clock.now()); // prettier-ignore
  decided("1", "", ["srv129", "srv159"]);
  expect((await call(coordinator, "srv127")).body).toMatchObject({ outcome: "waits", because: expect.stringContaining("srv127 went on without") }); // prettier-ignore
  expect([...kinds(srv129), ...kinds(srv159)]).not.toContain("promote");
  decided("2", "1 (srv129)", []);
  expect((await call(coordinator, "srv127")).body).toMatchObject({ outcome: "promoted" });
});

const silentOf = (seconds: number) => [{ node: "srv127", since: Date.now() - seconds * 1_000 }];

/** It runs as a primary that stops itself without a majority, and both others have not reached it for a minute. */
async function armed(coordinator: TestCoordinator) {
  const agents = await cluster(coordinator);
  const voters = ["srv127", "srv129", "srv159", "the coordinator"];
  const tell = (agent: ScriptedAgent, guard: Partial<ScriptedAgent["facts"]["guard"]>): void => {
    agent.facts = { ...agent.facts, guard: { ...agent.facts.guard, ...guard } };
    agent.sendFacts();
  };
  agents.srv127.facts = someFacts({ database: someDatabase({ role: "primary", timeline: 1 }) });
  tell(agents.srv127, { selfFence: { withinMs: 0, voters } });
  for (const agent of [agents.srv129, agents.srv159]) tell(agent, { silent: silentOf(60) });
  const { hub } = coordinator.core;
  await waitFor(() => hub.view("srv127")?.facts?.guard.selfFence?.voters.length === 4);
  await waitFor(() => hub.view("srv159")?.facts?.guard.silent?.length === 1);
  return agents;
}

test(
  "the silence of a primary that said it would stop itself is a proof, once it had the time",
  { timeout: 60_000 },
  async () => {
    await using coordinator = await startTestCoordinator();
    const { srv127 } = await armed(coordinator);
    srv127.freeze();
    await waitFor(() => coordinator.core.hub.view("srv127")?.connected === false);
    const { body } = await call(coordinator, "srv129");
    expect(body).toMatchObject({ outcome: "promoted", primary: "srv159" });
    expect(body.because).toContain("(3 of 4 voters) have not reached srv127 for");
    expect(coordinator.core.hub.view("srv127")?.silentMs).toBeGreaterThan(13_000);
  },
);

test("an agent that was heard to end proves nothing by its silence", async () => {
  await using coordinator = await startTestCoordinator();
  const { srv127, srv129 } = await armed(coordinator);
  srv127.breakLink();
  await waitFor(() => coordinator.core.hub.view("srv127")?.connected === false);
  expect((await call(coordinator, "srv129")).body).toMatchObject({
    outcome: "waits",
    because: expect.stringContaining("its agent was not heard until a silence began"),
  });
  expect(kinds(srv129)).not.toContain("promote");
});

test("only an agent is heard", async () => {
  await using coordinator = await startTestCoordinator();
  await cluster(coordinator);
  const answer = await call(coordinator, "srv127", "wrong");
  expect(answer).toMatchObject({ status: 401, body: { error: { code: "AUTHENTICATION_FAILED" } } });
  expect(coordinator.core.ports.store.operations()).toEqual([]);
});

/** srv127 was the primary and is stopped; srv159, which has the higher row, has more than srv129. */
async function cluster(coordinator: TestCoordinator) {
  const { core, state } = coordinator;
  const { declaration } = createWorld();
  const [first] = declaration.nodes;
  if (first === undefined) throw new Error("no node");
  const newcomer = { ...first, name: "srv159", address: "192.168.4.159", slot: "slot_srv159" };
  mkdirSync(join(state.path, "clusters"), { recursive: true });
  const nodes = [...declaration.nodes, newcomer];
  core.ports.clusterFiles.create("ESHA", printClusterYaml({ ...declaration, nodes }));
  const standby = (receivedPosition: string): DatabaseFacts =>
    someDatabase({ role: "standby", position: "0/3000000", receivedPosition });
  const agent = (node: string, database: DatabaseFacts): ScriptedAgent =>
    coordinator.agent(node, { facts: someFacts({ database }), script: obey });
  const agents = {
    srv127: agent("srv127", { ...noDatabase, status: "stopped" }),
    srv129: agent("srv129", standby("0/4000000")),
    srv159: agent("srv159", standby("0/5000000")),
  };
  for (const node of Object.keys(agents)) await waitFor(() => core.hub.view(node)?.facts);
  return agents;
}

const evidence = { alreadyDone: false, lines: [], files: [] };
function obey({ kind }: CommandEnvelope) {
  if (kind === "fence") return done({ ...evidence, synchronousStandbyNames: "", timeline: 1 });
  return done(kind === "promote" ? { ...evidence, timeline: 2 } : evidence);
}

function kinds({ commands }: ScriptedAgent): readonly string[] {
  return commands.map(({ kind }) => kind);
}

function call(
  coordinator: TestCoordinator,
  node: string,
  secret = coordinator.secretOf(node),
): Promise<Answer> {
  const { core, state } = coordinator;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: "127.0.0.1",
        port: core.agentPort,
        path: "/agent/failover",
        method: "POST",
        ca: state.certificatePem,
        headers: { authorization: `Castellan ${node}:${secret}` },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          // What is missing in the answer shows as undefined where it is looked at.
          const body = JSON.parse(Buffer.concat(chunks).toString()) as FailoverAnswer;
          resolve({ status: response.statusCode ?? 0, body });
        });
      },
    );
    asked.on("error", reject);
    asked.end(JSON.stringify(lost));
  });
}
