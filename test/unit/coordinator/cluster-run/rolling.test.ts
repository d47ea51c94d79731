import { expect, test } from "vitest";
import { checkRolling, planRolling } from "#coordinator/operations/cluster-run/rolling.ts";
import { addFollower } from "../switchover/scene.ts";
import type { WorldOptions } from "../declared-node.ts";
import { change, changeDatabase, changeSettings, type World } from "../world.ts";
import { complaints, loaded, runningWorld, situationOf } from "./scene.ts";

/** In the file of that node, waiting for a restart; 100 is in force everywhere. */
function waiting(node: Readonly<Record<string, number>>, options: WorldOptions = {}): World {
  const name = "max_connections";
  const world = addFollower(runningWorld(options));
  for (const { name: each } of world.declaration.nodes) {
    changeSettings(world, each, { [name]: "100" });
    const value = node[each];
    if (value === undefined) continue;
    const file = { name, file: "/postgresql.conf", line: 1, inFile: String(value), inForce: "100", state: "waits-for-restart" } as const; // prettier-ignore
    changeDatabase(world, each, { fileSettings: [file] });
  }
  return world;
}
const stepsOf = (world: World): readonly string[] =>
  planRolling(situationOf(world), loaded(world), []).steps.map(({ id }) => id);
const check = (world: World) => complaints(() => checkRolling(situationOf(world)));

test.each([
  ["nothing waits", {}],
  ["raised", { srv127: 200, srv129: 200, srv159: 200 }],
])("standbys one by one, then a switchover restarts the former primary: %s", (_title, values) => {
  const world = waiting(values);
  expect(check(world)).toEqual([]);
  expect(stepsOf(world)).toEqual([
    "restart-database/srv129",
    "prove-streaming/started/srv129",
    "restart-database/srv159",
    "prove-streaming/started/srv159",
    "create-slot/srv129/slot_srv159",
    "prove-streaming/srv129",
    "hand-over",
    "follow/srv127",
    "follow/srv159",
  ]);
  expect(planRolling(situationOf(world), loaded(world), []).noReturn).toBe("hand-over");
});

test("lowered: the primary first, where it stands", () => {
  const world = waiting({ srv127: 50, srv129: 50, srv159: 80 });
  expect(check(world)).toEqual([]);
  expect(stepsOf(world)).toEqual([
    "restart-database/srv127",
    "restart-database/srv129",
    "prove-streaming/started/srv129",
    "restart-database/srv159",
    "prove-streaming/started/srv159",
  ]);
  expect(planRolling(situationOf(world), loaded(world), []).noReturn).toBeUndefined();
});

test.each([
  ["a standby would have less than its primary", { srv129: 50 }, "max_connections of srv129 would be 50, and srv127 has 100"], // prettier-ignore
  ["the former primary would have less than the new one", { srv129: 200, srv159: 200 }, "max_connections of srv127 would be 100, and srv129 has 200"], // prettier-ignore
  ["a standby was lowered further than its primary", { srv127: 60, srv129: 50, srv159: 50 }, "max_connections of srv129 would be 50, and srv127 has 60"], // prettier-ignore
])("refused where a server would not start: %s", (_title, values, why) => {
  expect(check(waiting(values)).join("\n")).toContain(why);
});

test("a root helper of before, which stops no pool, is found where pools have to be stopped, and is no matter elsewhere", () => {
  const found = [50, 200].map((value) => {
    const world = waiting({ srv127: value, srv129: value, srv159: value }, { pool: true });
    change(world, "srv129", ({ host, ...facts }) => ({ ...facts, host: { ...host, rootHelperVerbs: host.rootHelperVerbs.filter((verb) => verb !== "pool-stop") } })); // prettier-ignore
    return check(world);
  });
  expect(found).toEqual([
    [expect.stringContaining("the root helper of srv129 can't stop and start its pool")],
    [],
  ]);
});

test("one raised and one lowered at once are two restarts", () => {
  const world = waiting({ srv127: 50, srv129: 50, srv159: 50 });
  changeSettings(world, "srv127", { max_wal_senders: "10" });
  const [primary] = situationOf(world).nodes;
  const before = primary?.facts?.database.fileSettings ?? [];
  const raised = before.map((one) => ({ ...one, name: "max_wal_senders", inFile: "20" }));
  changeDatabase(world, "srv127", { fileSettings: [...before, ...raised] });
  expect(check(world).join("\n")).toContain("max_wal_senders is raised and max_connections lowered at once"); // prettier-ignore
});

test("without a standby that streams there is nobody to hand over to", () => {
  const world = runningWorld({});
  changeDatabase(world, "srv127", { replication: [] });
  expect(check(world)).toEqual([expect.stringContaining("no standby streams from the primary")]);
});

test("with pools each standby is taken out of every pool before its restart, and attached after it", () => {
  const world = runningWorld();
  expect(stepsOf(world).slice(0, 5)).toEqual([
    "detach-backend/1/srv127",
    "detach-backend/1/srv129",
    "restart-database/srv129",
    "prove-streaming/started/srv129",
    "attach-pool/started/1",
  ]);
});
