import fc from "fast-check";
import { expect, test } from "vitest";
import { causeOf } from "#coordinator/rules/evaluate.ts";
import type { World } from "../world.ts";
import { append, file, inFile, module } from "./edits.ts";
import { broken, evaluate, ruleWorld } from "./rule-world.ts";

function away(world: World, node: string): void {
  const agent = world.agents.get(node);
  if (agent !== undefined) world.agents.set(node, { ...agent, connected: false });
}

test("of a node whose agent is away nothing is said, and its standing alerts are not over", () => {
  const world = ruleWorld();
  module("srv129", 'NODE_NAME="srv129"', 'NODE_NAME="srv127"')(world);
  const cause = evaluate(world).breaches.find(({ rule }) => rule.id === "node-name")?.cause ?? "";
  away(world, "srv129");
  const { breaches, isJudged } = evaluate(world);
  expect(breaches).toEqual([]);
  expect(isJudged(cause)).toBe(false);
  // What compares two pools can't be known either; what is of the other node alone can.
  expect(isJudged(causeOf("ESHA", "backend-rows-equal", null))).toBe(false);
  expect(isJudged(causeOf("ESHA", "node-name", "srv127", "db/etc/HAmodule.conf"))).toBe(true);
});

test("a file that can't be read is not judged, one that is not there is", () => {
  const cause = causeOf("ESHA", "own-slot", "srv129", "db/data/recovery.conf");
  const world = ruleWorld();
  file("srv129", "recovery.conf", { state: "unreadable", maskedText: null, hash: null })(world);
  expect(broken(world)).toEqual([]);
  expect(evaluate(world).isJudged(cause)).toBe(false);

  file("srv129", "recovery.conf", { state: "absent" })(world);
  expect(evaluate(world).isJudged(cause)).toBe(true);
});

test.each([
  ["conf-copies", "/db/etc/kingbase.conf"],
  ["ha-module-copies", "kingbasecluster/etc/HAmodule.conf"],
  ["vendor-cron-lines", "KINGBASECRON"],
  ["sync-list-overruled", "kingbase.auto.conf"],
])("%s is over when %s is gone", (rule, name) => {
  const world = ruleWorld();
  file("srv129", name, { state: "absent", maskedText: null, hash: null })(world);
  expect(broken(world, rule)).toEqual([]);
  expect(evaluate(world).isJudged(causeOf("ESHA", rule, "srv129"))).toBe(true);
});

test("without the file of ALTER SYSTEM nobody knows what a restart would bring", () => {
  const world = ruleWorld();
  append("srv127", "/db/data/kingbase.conf", "port = 5432\n")(world);
  expect(broken(world, "ports-agree")).toEqual(["ports-agree srv127: port is 5432"]);
  file("srv127", "kingbase.auto.conf", { state: "absent", maskedText: null, hash: null })(world);
  expect(broken(world, "ports-agree")).toEqual([]);
});

test("a file that does not parse is the one breach: what its other lines say is left as it was", () => {
  const world = ruleWorld();
  inFile("srv129", "recovery.conf", "slot_srv129", "slot_srv127")(world);
  append("srv129", "recovery.conf", "restore_command 'cp' 'more'\n")(world);
  const { breaches, isJudged } = evaluate(world);
  expect(breaches.map(({ rule, file: path, line }) => [rule.id, path, line])).toEqual([
    ["file-parses", "/home/kingbase/cluster/ESHA/db/data/recovery.conf", 5],
  ]);
  expect(isJudged(causeOf("ESHA", "own-slot", "srv129", "db/data/recovery.conf"))).toBe(false);
});

test("a node that is not declared any more has no alerts of rules", () => {
  const { isJudged } = evaluate(ruleWorld());
  expect(isJudged(causeOf("ESHA", "own-slot", "srv131", "db/data/recovery.conf"))).toBe(true);
  expect(isJudged(causeOf("ESHA", "a-rule-of-another-version", "srv129"))).toBe(true);
});

test("rules of the vendor's files say nothing about PostgreSQL, and none about pools without one", () => {
  const { isJudged } = evaluate(ruleWorld({ product: "postgresql", pool: false }));
  for (const rule of ["kb-all-ip", "auto-failback", "vendor-cron-active"]) {
    expect(isJudged(causeOf("ESHA", rule, "srv129", "anything"))).toBe(true);
  }
});

test("with two primaries nothing is held against anybody that goes by the primary", () => {
  const world = ruleWorld({ synchronous: "1 (srv127, srv129)" });
  for (const node of ["srv127", "srv129"]) {
    const agent = world.agents.get(node);
    if (agent?.facts == null) continue;
    const facts = {
      ...agent.facts,
      database: { ...agent.facts.database, role: "primary" as const },
    };
    world.agents.set(node, { ...agent, facts });
  }
  expect(broken(world)).toEqual([]);
});

test("whatever stands in the files, every rule is judged without an exception", () => {
  const names = [
    "/db/data/kingbase.conf",
    "kingbase.auto.conf",
    "/db/etc/kingbase.conf",
    "recovery.conf",
    "recovery.done",
    "sys_hba.conf",
    "HAmodule.conf",
    "kingbasecluster.conf",
    "cluster_hba.conf",
    "cluster_passwd",
    "KINGBASECRON",
  ];
  const word = fc.constantFrom(..."KB_ALL_IP=( ALL_NODE_NAME ) \n # \" ' host replication all trust 0.0.0.0/0 ::/0 primary_conninfo = 'host=a' port=, backend_hostname0 backend_port0 1 (a,b) synchronous_standby_names KB_VIP=\"1/99\" */1 network_rewind.sh \\".split(" ")); // prettier-ignore
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.array(word, { maxLength: 60 }).map((words) => words.join(" ")),
  );
  fc.assert(
    fc.property(fc.constantFrom(...names), text, (name, content) => {
      const world = ruleWorld({ synchronous: "1 (srv127, srv129)" });
      file("srv127", name, { maskedText: content })(world);
      for (const { cause, found } of evaluate(world).breaches) {
        expect(cause.length).toBeLessThanOrEqual(501);
        expect(found.length).toBeLessThanOrEqual(2_001);
      }
    }),
    { numRuns: 500 },
  );
});

test("a slot that the WAL budget took away is an alert of its own, not a broken rule", () => {
  const world = ruleWorld();
  const agent = world.agents.get("srv127");
  if (agent?.facts == null) throw new Error("no facts of srv127");
  const dropped = {
    name: "slot_srv129",
    operationId: "op-abcdefgh",
    forNode: "srv129",
    droppedAt: 1,
    rule: "wal-budget",
    reason: "it held back too much",
    needsRebuild: true,
  };
  world.agents.set("srv127", {
    ...agent,
    facts: {
      ...agent.facts,
      agent: { ...agent.facts.agent, droppedSlots: [dropped] },
      database: { ...agent.facts.database, slots: [] },
    },
  });
  expect(broken(world)).toEqual([]);
});
