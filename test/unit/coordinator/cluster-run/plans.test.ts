import { expect, test } from "vitest";
import { checkRestart, checkStart, checkStop } from "#coordinator/operations/cluster-run/checks.ts";
import { planRestart, planStart, planStop } from "#coordinator/operations/cluster-run/plans.ts";
import type { Plan } from "#coordinator/operations/plan.ts";
import { addFollower, changeAgent, changeVerbs } from "../switchover/scene.ts";
import { change, changeDatabase, type World } from "../world.ts";
import { complaints, loaded, runningWorld, situationOf, stoppedWorld } from "./scene.ts";

const plans = { stop: planStop, start: planStart, restart: planRestart };
function planned(verb: keyof typeof plans, world: World, ...more: Parameters<typeof situationOf> extends [World, ...infer R] ? R : never): Plan {
  return plans[verb](situationOf(world, ...more), loaded(world), []);
} // prettier-ignore
const ids = ({ steps }: Plan): readonly string[] => steps.map(({ id }) => id);
const start = (world: World) => complaints(() => checkStart(situationOf(world)));
const stop = (world: World) => complaints(() => checkStop(situationOf(world)));

test("a stop: the pools, then the primary, then the standbys, which wait for its last record", () => {
  const plan = planned("stop", runningWorld());
  expect(ids(plan)).toEqual(["stop-pool/srv127", "stop-pool/srv129", "stop-databases"]);
  expect(plan.steps.at(-1)).toMatchObject({ args: { primary: "srv127", followers: ["srv129"], others: [] } }); // prettier-ignore
  expect(plan.premise).toMatchObject({ primary: "srv127" });
  expect(plan.reserves?.every(({ classes }) => classes.includes("database") && classes.includes("pool"))).toBe(true); // prettier-ignore
  expect(stop(runningWorld())).toEqual([]);
});

test("a standby that does not stream is waited for by nobody, and one that is away is left alone", () => {
  const world = addFollower(runningWorld({}), { isAway: true });
  changeDatabase(world, "srv127", { replication: [] });
  expect(planned("stop", world).steps.at(-1)).toMatchObject({ args: { followers: [], others: ["srv129"] } }); // prettier-ignore
  expect(stop(world)).toEqual([
    "warning agents: the agent of srv159 is away",
    "warning followers: srv129 does not stream from the primary",
  ]);
});

test("a stop is refused where it could not be done whole", () => {
  const world = runningWorld();
  changeDatabase(world, "srv129", { role: "primary" });
  expect(stop(world)).toEqual([expect.stringContaining("srv127, srv129 are primaries")]);
  const away = runningWorld();
  changeAgent(away, "srv129", { connected: false });
  expect(stop(away)).toEqual([expect.stringContaining("its pool may run")]);
  const other = runningWorld();
  change(other, "srv129", ({ host, ...facts }) => ({ ...facts, host: { ...host, rootHelperVerbs: [] } })); // prettier-ignore
  changeVerbs(other, "srv127", ["stop-pool"]);
  expect(stop(other)).toEqual([
    expect.stringContaining("srv127 does not admit read-control, stop-database"),
    expect.stringContaining("the root helper of srv129 can't stop and start its pool"),
  ]);
});

test("a start: the last primary, standbys, pools, address, then each standby seen streaming and up", () => {
  const world = stoppedWorld();
  const plan = planned("start", world);
  expect(ids(plan)).toEqual([
    "start-primary/srv127",
    "start-database/srv129",
    "start-pool/srv127",
    "start-pool/srv129",
    "take-address/started/srv127",
    "attach-pool/started/0",
    "prove-streaming/started/srv129",
    "attach-pool/started/1",
  ]);
  expect(plan.steps[0]).toMatchObject({ args: { timeline: 3 } });
  expect(plan.noReturn).toBe("start-primary/srv127");
  expect(start(world)).toEqual([]);
});

test("a start of what runs only proves it", () => {
  const { steps, noReturn } = planned("start", runningWorld({}));
  expect(steps.map(({ id }) => id)).toEqual(["prove-streaming/started/srv129"]);
  expect(noReturn).toBeUndefined();
});

test("without the last primary only standbys are started, and it is said what is missing", () => {
  const world = stoppedWorld();
  changeAgent(world, "srv127", { connected: false });
  expect(ids(planned("start", world))).toEqual(["start-database/srv129"]);
  expect(start(world)).toEqual([
    "warning last-primary: of the nodes that are seen none was the primary on timeline 3; nothing is known of srv127",
    "warning agents: the agent of srv127 is away",
  ]);
  changeAgent(world, "srv129", { connected: false });
  expect(start(world)[0]).toContain("nothing is known of srv127, srv129");
});

test("with a standby's host off the rest is started", () => {
  const world = stoppedWorld();
  changeAgent(world, "srv129", { connected: false });
  const controls = { srv127: { state: "shut down" } };
  const plan = planned("start", world, controls, { primary: "srv127", timeline: 3 });
  expect(ids(plan)).toEqual(["start-primary/srv127", "start-pool/srv127", "take-address/started/srv127", "attach-pool/started/0"]); // prettier-ignore
});

test("a former primary that nobody made a standby is left as it is", () => {
  const world = stoppedWorld({});
  changeDatabase(world, "srv129", { hasStandbyMarker: false });
  const situation = situationOf(world, { srv127: { state: "shut down" }, srv129: { state: "shut down", timeline: 2 } }); // prettier-ignore
  expect(planStart(situation, loaded(world), []).steps.map(({ id }) => id)).toEqual(["start-primary/srv127"]); // prettier-ignore
  expect(complaints(() => checkStart(situation))).toEqual(["warning standbys: srv129 is no standby that could be started (database stopped)"]); // prettier-ignore
});

test("a restart is a stop and a start, and takes nothing back once the primary runs again", () => {
  const plan = planned("restart", runningWorld({}));
  expect(ids(plan)).toEqual(["stop-databases", "start-primary/srv127", "start-database/srv129", "prove-streaming/started/srv129"]); // prettier-ignore
  expect(plan.noReturn).toBe("start-primary/srv127");
  expect(complaints(() => checkRestart(situationOf(stoppedWorld())))).toEqual([expect.stringContaining("no node that can be seen is a primary")]); // prettier-ignore
});
