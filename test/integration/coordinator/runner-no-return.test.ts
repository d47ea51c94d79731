import { expect, test } from "vitest";
import { operationEnd } from "#coordinator/operations/operation-end.ts";
import type { Plan, PlanStep } from "#coordinator/operations/plan.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed, type ScriptedAgent } from "./scripted-agent.ts";
import { settled, told } from "./settled.ts";
import { slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

function noReturnPlan(): Plan {
  const plan = somePlan(slotStep("srv127"), startStep("srv127"), slotStep("srv127", "slot_after"));
  return { ...plan, noReturn: "start-database/srv127", reserves: [{ node: "srv127", classes: ["vip", "disk"] }] }; // prettier-ignore
}

const reservedBy = ({ received }: ScriptedAgent): readonly string[] =>
  received.flatMap((m) => (m.type === "reserve" ? [`${m.classes.join(",")} ${m.forMs}`] : []));

test("past its step of no return an operation pauses where it would roll back, goes on, or is left as it is", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  let isStuck = true;
  const agent = coordinator.agent("srv127", {
    script: ({ args }) =>
      isStuck && JSON.stringify(args).includes("slot_after") ? failed({ message: "no slot" }) : done(), // prettier-ignore
  });
  const { id } = runner.start(someOperation(noReturnPlan(), { onFailure: "rollback" }));
  const paused = await settled(coordinator, id, "paused");
  expect(() => runner.abort(id)).toThrow(/can't be taken back any more: "start the database/);
  expect(operationEnd(paused).choices.map(({ command }) => command)).toEqual([
    `castellan operation resume ${id}`,
    `castellan operation abort ${id} --leave`,
  ]);
  isStuck = false;
  runner.resume(id);
  await settled(coordinator, id, "succeeded");
  expect(told(agent)).not.toContain("create-slot/srv127 undo");

  isStuck = true;
  const second = runner.start(someOperation(noReturnPlan()));
  await settled(coordinator, second.id, "paused");
  expect(runner.leave(second.id).state).toBe("rolled-back");
});

test("before its step of no return everything is taken back", async () => {
  await using coordinator = await startTestCoordinator();
  coordinator.agent("srv127", {
    script: ({ kind, phase }) => (kind === "start-database" && phase === "run" ? failed() : done()),
  });
  const { id } = coordinator.core.runner.start(
    someOperation(noReturnPlan(), { onFailure: "rollback" }),
  );
  const ended = await settled(coordinator, id, "rolled-back");
  expect(ended.steps.map(({ state }) => state)).toEqual(["undone", "undone", "pending"]);
});

function promotionPlan(): Plan {
  const promotion: PlanStep = {
    id: "promote/srv127",
    phase: "hand-over",
    title: "promote srv127",
    preview: [],
    on: "srv127",
    kind: "promote",
    args: { timeline: 1, replayed: null, stallMs: 1_000 },
    preconditions: { systemIdentifier: null, role: null, timeline: null },
  };
  return { ...somePlan(slotStep("srv127"), promotion, slotStep("srv127", "slot_after")), noReturn: promotion.id }; // prettier-ignore
}

test("an abort that comes after the promotion goes forward, and nothing is taken back from the new primary", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  let isPromoted = false;
  const agent = coordinator.agent("srv127", {
    script: ({ kind, phase }) => {
      if (kind !== "promote") return done();
      if (phase === "undo") return failed({ code: "PAST_RETURN", message: "it was promoted" });
      return isPromoted ? done({ alreadyDone: true, lines: [], files: [], timeline: 2 }) : null;
    },
  });
  const { id } = runner.start(someOperation(promotionPlan(), { onFailure: "rollback" }));
  await waitFor(() => agent.commands.length === 2);
  runner.abort(id);
  isPromoted = true;
  agent.end(`${id}/1/run/1`, failed({ code: "INTERRUPTED" }));
  const ended = await settled(coordinator, id, "succeeded");
  expect(ended.failure).toBeNull();
  expect(told(agent)).toEqual(["create-slot/srv127 run", "promote/srv127 run", "promote/srv127 undo", "promote/srv127 run", "create-slot/srv127 run"]); // prettier-ignore
});

test("one that was promoted and fails on its way forward pauses, and is not taken back again", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  const agent = coordinator.agent("srv127", {
    script: ({ kind, phase }) =>
      kind === "promote" ? failed({ code: phase === "undo" ? "PAST_RETURN" : "PROGRAM_FAILED" }) : done(), // prettier-ignore
  });
  const { id } = runner.start(someOperation(promotionPlan(), { onFailure: "rollback" }));
  await settled(coordinator, id, "paused");
  expect(told(agent)).toEqual(["create-slot/srv127 run", "promote/srv127 run", "promote/srv127 undo", "promote/srv127 run"]); // prettier-ignore
  expect(() => runner.abort(id)).toThrow(/can't be taken back any more/);
});

test("where nobody can say whether it was promoted, what is before it stays until that is known", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  let isSilent = true;
  const agent = coordinator.agent("srv127", {
    script: ({ kind, phase }) => {
      if (kind !== "promote") return done();
      return phase === "run" || isSilent ? failed({ code: "NODE_UNREACHABLE" }) : done();
    },
  });
  const { id } = runner.start(someOperation(promotionPlan(), { onFailure: "rollback" }));
  await settled(coordinator, id, "needs-attention");
  expect(told(agent)).not.toContain("create-slot/srv127 undo");
  isSilent = false;
  runner.abort(id);
  await settled(coordinator, id, "rolled-back");
  expect(told(agent)).toContain("create-slot/srv127 undo");
});

test("a hand-over that is aborted after the promotion never opens the former primary", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  const shutdown = { checkpoint: "0/3000028", timeline: 1 };
  const former = coordinator.agent("srv127", { script: () => done({ alreadyDone: false, lines: [], files: [], shutdown }) }); // prettier-ignore
  let isPromoted = false;
  const successor = coordinator.agent("srv129", {
    script: ({ kind, phase }) => {
      if (kind !== "promote") return done();
      if (phase === "undo") return failed({ code: "PAST_RETURN", message: "it was told to lead" });
      return isPromoted ? done({ alreadyDone: true, lines: [], files: [], timeline: 2 }) : null;
    },
  });
  const handOver: PlanStep = {
    id: "hand-over",
    phase: "hand-over",
    title: "srv129 instead of srv127",
    preview: [],
    on: null,
    kind: "hand-over",
    args: { from: "srv127", to: "srv129", timeline: 1, stallMs: 1_000 },
  };
  const plan = { ...somePlan(slotStep("srv129"), handOver), noReturn: handOver.id };
  const { id } = runner.start(someOperation(plan, { onFailure: "rollback" }));
  await waitFor(() => successor.commands.length === 2);
  runner.abort(id);
  isPromoted = true;
  successor.end(successor.commands.at(-1)?.id ?? "", failed({ code: "INTERRUPTED" }));
  await settled(coordinator, id, "succeeded");
  const said = (agent: ScriptedAgent) =>
    agent.commands.map(({ kind, phase }) => `${kind} ${phase}`);
  expect(said(former)).toEqual(["demote run", "demote run"]);
  expect(said(successor)).toEqual(["create-slot run", "promote run", "promote undo", "promote run"]); // prettier-ignore
});

test("what an operation reserves it holds from its start to its end, whatever its steps give back", async () => {
  await using coordinator = await startTestCoordinator();
  const agent = coordinator.agent("srv127", {
    knowsCluster: true,
    script: ({ kind }) => (kind === "start-database" ? null : done()),
  });
  await waitFor(() => agent.isWelcome);
  const { id } = coordinator.core.runner.start(someOperation(noReturnPlan()));
  await waitFor(() => agent.commands.length === 2);
  // The slot's step would have given "disk" back.
  expect(reservedBy(agent)).toEqual(["vip,disk 15000", "database,role 15000"]);
  agent.end(`${id}/1/run/1`, done());
  await settled(coordinator, id, "succeeded");
  await waitFor(() => reservedBy(agent).includes("vip,disk 0"));
});
