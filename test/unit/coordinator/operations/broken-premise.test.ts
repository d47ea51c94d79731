import { expect, test } from "vitest";
import { forecastCopy } from "#coordinator/operations/add-node/forecast.ts";
import { planAddNode } from "#coordinator/operations/add-node/plan.ts";
import { brokenPremise } from "#coordinator/operations/broken-premise.ts";
import { changeDatabase, createWorld, situationOf, type World } from "../world.ts";
import { agentAway } from "../fake-ports.ts";

test("a cluster that is led as planned says nothing", () => {
  const { judge } = createScene();
  expect(judge()).toBeNull();
});

test("a standby that was promoted, by a failover or by mistake, breaks it", () => {
  const { world, judge } = createScene();
  changeDatabase(world, "srv129", { role: "primary", timeline: 2 });
  expect(judge()?.message).toBe(
    "srv129 is a primary now; the plan was made for the primary srv127 on timeline 1.",
  );
  changeDatabase(world, "srv127", { role: "standby", timeline: 2 });
  expect(judge()?.message).toContain("srv127 is a standby now, srv129 is a primary now");
  expect(judge()?.hint).toContain("castellan operation abort op-12345678");
});

test("the same primary on another timeline breaks it: it was away, and another led meanwhile", () => {
  const { world, judge } = createScene();
  changeDatabase(world, "srv127", { timeline: 3 });
  expect(judge()?.message).toContain("srv127 is on timeline 3 now");
});

test("the new node opened as a primary breaks it; a server of another cluster there does not", () => {
  const { world, judge } = createScene();
  const { systemIdentifier } = world.facts.get("srv127")?.database ?? { systemIdentifier: null };
  changeDatabase(world, "srv159", { role: "primary", timeline: 2, systemIdentifier });
  expect(judge()?.message).toContain("srv159 is a primary now");
  changeDatabase(world, "srv159", { systemIdentifier: "1" });
  expect(judge()).toBeNull();
});

test("a host that is away, and a database without a session, prove nothing", () => {
  const { world, judge } = createScene();
  changeDatabase(world, "srv127", { role: null, status: "stopped" });
  changeDatabase(world, "srv129", { role: "primary", timeline: 2 });
  agentAway(world, "srv129");
  expect(judge()).toBeNull();
});

test("what was told over an earlier connection proves nothing", () => {
  const { world, judge } = createScene();
  changeDatabase(world, "srv129", { role: "primary", timeline: 2 });
  const agent = world.agents.get("srv129");
  if (agent === undefined) throw new Error("no agent srv129");
  world.agents.set("srv129", { ...agent, factsAreCurrent: false });
  expect(judge()).toBeNull();
  world.agents.set("srv129", agent);
  expect(judge()?.message).toContain("srv129 is a primary now");
});

function createScene() {
  const world: World = createWorld();
  const situation = situationOf(world);
  const forecast = forecastCopy(situation);
  if (forecast === null) throw new Error("no forecast");
  const plan = planAddNode({ situation, checks: [], forecast });
  const operation = { id: "op-12345678", subject: "srv159", plan };
  return { world, judge: () => brokenPremise(operation, (node) => world.agents.get(node) ?? null) };
}
