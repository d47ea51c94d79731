import { expect, test } from "vitest";
import { why } from "#coordinator/api/why.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed } from "./scripted-agent.ts";
import { settled } from "./settled.ts";
import { slotStep, someOperation, somePlan } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

test("an operation's decisions are told with their rule and its sentence", async () => {
  await using coordinator = await startTestCoordinator();
  let attempts = 0;
  coordinator.agent("srv127", {
    script: () => {
      attempts += 1;
      return attempts === 1 ? failed({ retryable: true }) : failed({ message: "disk full" });
    },
  });
  const { id } = coordinator.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  await settled(coordinator, id, "paused");
  const { lines } = why(coordinator.core.ports, id, null);
  const text = lines.join("\n");
  expect(text).toContain("add-node of srv159 in ESHA: paused");
  expect(text).toContain("asked for by dba@host");
  expect(text).toMatch(/again-with-backoff, because the failure may pass by itself/);
  expect(text).toMatch(/not-retryable, because the same attempt would fail again/);
  expect(text).toContain("PROGRAM_FAILED: disk full");
  expect(text).toContain("running → paused (step-failed)");
});

test("a node is told by its facts, its alerts and its last events", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", { script: () => done() });
  await waitFor(() => coordinator.core.hub.view("srv127")?.facts);
  agent.send({
    type: "host-event",
    eventId: "1",
    at: 1,
    kind: "guard-finding",
    cause: "database-dead",
    severity: "critical",
    summary: "the database is dead",
    detail: "",
  });
  await waitFor(() => coordinator.core.ports.store.alerts({ open: true }).length === 1);
  const answer = why(coordinator.core.ports, "srv127", null);
  expect(answer.lines.join("\n")).toContain("database: running, primary, timeline 1");
  expect(answer.lines.join("\n")).toContain("(critical)");
  expect(answer.events.map((e) => e.kind)).toContain("agent:connected");
});
