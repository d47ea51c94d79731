import { expect, test } from "vitest";
import type { FileFacts } from "#shared/domain/facts.ts";
import type { AgentMessage } from "#shared/protocol/messages.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed, type ScriptedAgent } from "./scripted-agent.ts";
import { settled } from "./settled.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { hbaStep, slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

const path = "/data/pg_hba.conf";

function file(hash: string | null, at = path): FileFacts {
  const state = hash === null ? "absent" : "present";
  return { path: at, format: "hba", state, hash, owner: null, mode: null, modifiedAt: null, maskedText: hash }; // prettier-ignore
}

function changed(
  severity: "info" | "warning",
  eventId: string,
): Extract<AgentMessage, { type: "host-event" }> {
  return {
    type: "host-event",
    eventId,
    at: 1,
    kind: "file-changed",
    cause: `file:${path}`,
    severity,
    summary: `${path} ${severity === "info" ? "is as accepted again" : "was changed"}`,
    detail: "",
  };
}

function baselinesOf(agent: ScriptedAgent) {
  const last = agent.received.findLast((message) => message.type === "baselines");
  return last?.type === "baselines" ? last.files : null;
}

test("the first sight of a file is accepted, a later change is not", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", { facts: someFacts({ files: [file("one")] }) });
  await waitFor(() => baselinesOf(agent)?.length === 1);
  agent.facts = someFacts({ files: [file("two"), file(null, "/data/recovery.conf")] });
  await coordinator.core.ports.fleet.observe(["srv127"]);
  await waitFor(() => baselinesOf(agent)?.length === 2);
  expect(baselinesOf(agent)).toEqual([
    { path, hash: "one" },
    { path: "/data/recovery.conf", hash: null },
  ]);
});

test("a changed file is one alert however often it is told, resolved when it is as accepted again", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  agent.send(changed("warning", "1"));
  agent.send(changed("warning", "2"));
  await waitFor(() => agent.received.filter((m) => m.type === "host-event-acknowledged").length === 2); // prettier-ignore
  expect(store.alerts({ open: true })).toMatchObject([
    { cause: `node:srv127:file:${path}`, count: 2, node: "srv127" },
  ]);
  agent.send(changed("info", "3"));
  await waitFor(() => store.alerts({ open: true }).length === 0);
  agent.send(changed("warning", "4"));
  await waitFor(() => store.alerts({ open: true })[0]?.count === 1);
  expect(store.alerts()).toHaveLength(2);
});

test("a cleared guard finding resolves its alert", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127");
  await waitFor(() => agent.isWelcome);
  const finding = { ...changed("warning", "1"), kind: "guard-finding", cause: "database-dead" } as const; // prettier-ignore
  agent.send(finding);
  await waitFor(() => store.alerts({ open: true }).length === 1);
  agent.send({ ...finding, eventId: "2", kind: "guard-cleared" });
  await waitFor(() => store.alerts({ open: true }).length === 0);
});

test("what a step changed is accepted, and the agent is told", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", {
    facts: someFacts({ files: [file("one")] }),
    script: () => done({ alreadyDone: false, lines: [], files: [{ path, hash: "two" }] }),
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(hbaStep("srv127"))));
  await settled(coordinator, id, "succeeded");
  await waitFor(() => baselinesOf(agent)?.[0]?.hash === "two");
});

test("what is taken back is accepted as it was before, also when the agent died between the undo and its answer", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const agent = coordinator.agent("srv127", {
    facts: someFacts({ files: [file("one")] }),
    script: ({ kind, phase }) => {
      if (kind === "start-database" && phase === "run") return failed();
      // Told again, the undo finds nothing of its own any more and names no file.
      const files = phase === "run" ? [{ path, hash: "two", from: "one" }] : [];
      return done({ alreadyDone: phase === "undo", lines: [], files });
    },
  });
  const plan = somePlan(hbaStep("srv127"), startStep("srv127"));
  const { id } = coordinator.core.runner.start(someOperation(plan, { onFailure: "rollback" }));
  await settled(coordinator, id, "rolled-back");
  expect(JSON.stringify(store.events(0, 100))).toContain('"hash":"two"');
  expect(store.baselines("srv127")).toMatchObject([{ path, hash: "one" }]);
  await waitFor(() => baselinesOf(agent)?.[0]?.hash === "one");
});

test("files that appear on a node while it is being added are no drift, and are accepted at the end", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const newcomer = coordinator.agent("srv159", { facts: someFacts({ files: [file(null)] }) });
  await waitFor(() => baselinesOf(newcomer)?.length === 1);
  const primary = coordinator.agent("srv127", { script: () => null });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  await waitFor(() => primary.commands.length === 1);
  newcomer.send(changed("warning", "1"));
  newcomer.facts = someFacts({ files: [file("made")] });
  await coordinator.core.ports.fleet.observe(["srv159"]);
  expect(store.alerts({ open: true })).toEqual([]);
  primary.end(`${id}/0/run/1`, done());
  await settled(coordinator, id, "succeeded");
  await waitFor(() => baselinesOf(newcomer)?.[0]?.hash === "made");
});

test("an agent that makes up files without end fills no journal", async () => {
  await using coordinator = await startTestCoordinator();
  const { store } = coordinator.core.ports;
  const made = (count: number, from: number) =>
    Array.from({ length: count }, (_, i) => file("a".repeat(64), `/made-up/${from + i}`));
  const agent = coordinator.agent("srv127", { facts: { ...someFacts(), files: made(1_100, 0) } });
  await waitFor(() => store.baselines("srv127").length > 0, { timeoutMs: 20_000 });
  agent.facts = { ...agent.facts, files: made(500, 5_000) };
  await coordinator.core.hub.observe("srv127").catch(() => undefined);
  expect(store.baselines("srv127")).toHaveLength(1_000);
}, 40_000);
