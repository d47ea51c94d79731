import { describe, expect, test } from "vitest";
import { checkTable } from "#coordinator/operations/add-node/preflight/table.ts";
import { runPreflight } from "#coordinator/operations/add-node/preflight/preflight.ts";
import type { CheckResult } from "#coordinator/operations/plan.ts";
import type { WorldOptions } from "../declared-node.ts";
import { slot } from "../node-facts.ts";
import { change, createWorld, situationOf, type World } from "../world.ts";
import { cases } from "./cases.ts";

describe.each(cases)(
  "$check",
  ({ pitfall, check, when, status, options = {}, request = {}, edit, says }) => {
    const title = `says ${status} when ${when}`;
    test(pitfall === undefined ? title : `${pitfall}: ${title}`, () => {
      const world = createWorld(options);
      edit(world);
      const results = runPreflight(situationOf(world, request)).filter(({ id }) => id === check);
      const found = results.filter((result) => result.status === status);
      expect(found, JSON.stringify(results)).not.toEqual([]);
      const text = found.map((result) => `${result.found} ${result.fix}`).join("\n");
      if (says !== undefined) expect(text).toMatch(says);
      // Every finding says what to do.
      for (const result of found) expect(result.fix).not.toBe("");
    });
  },
);

test("every check has a case in which it finds something", () => {
  const tested = new Set(cases.map(({ check }) => check));
  expect(checkTable.map(({ id }) => id).filter((id) => !tested.has(id))).toEqual([]);
});

test("there are at least thirty checks, each with an id of its own", () => {
  const ids = checkTable.map(({ id }) => id);
  expect(ids.length).toBeGreaterThanOrEqual(30);
  expect(new Set(ids).size).toBe(ids.length);
});

const ordinary: readonly { readonly name: string; readonly options: WorldOptions }[] = [
  { name: "PostgreSQL", options: {} },
  { name: "PostgreSQL with two pools", options: { pool: true } },
  { name: "PostgreSQL in Debian's layout", options: { debian: true } },
  { name: "KingbaseES", options: { product: "kingbase-v8r3", pool: true } },
  {
    name: "a synchronous KingbaseES",
    options: { product: "kingbase-v8r3", pool: true, synchronous: "1 (srv127, srv129)" },
  },
  {
    name: "KingbaseES under the vendor's checks",
    options: { product: "kingbase-v8r3", pool: true, vendorInCharge: true },
  },
  { name: "loopback addresses", options: { loopback: true } },
  { name: "loopback addresses with two pools", options: { loopback: true, pool: true } },
  {
    name: "loopback addresses with KingbaseES",
    options: { loopback: true, pool: true, product: "kingbase-v8r3" },
  },
];

describe.each(ordinary)("the ordinary case: $name", ({ options }) => {
  test("no check fails, and the warnings are the expected ones", () => {
    const results = runPreflight(situationOf(createWorld(options)));
    expect(lines(results, "fail")).toEqual([]);
    const expected = [
      ...(options.loopback === true ? ["reach-newcomer"] : []),
      ...(options.pool === true && options.loopback !== true ? ["hba-virtual-addresses"] : []),
    ];
    const warned = results.filter(({ status }) => status === "warn").map(({ id }) => id);
    expect([...new Set(warned)].toSorted()).toEqual(expected.toSorted());
  });
});

test("preflight says what it can when half of the fleet is away", () => {
  const world = createWorld({ product: "kingbase-v8r3", pool: true });
  for (const node of ["srv127", "srv159"]) {
    const agent = world.agents.get(node);
    if (agent !== undefined) world.agents.set(node, { ...agent, connected: false, facts: null });
  }
  world.probe = (probes) => ({ ...probes, target: null, logins: null, walRate: null });
  const failed = new Set(
    runPreflight(situationOf(world))
      .filter(({ status }) => status === "fail")
      .map(({ id }) => id),
  );
  expect(failed).toContain("agent-connected");
  expect(failed).toContain("one-primary");
});

test("a missing hba line before step hba is no failure", () => {
  const results = runPreflight(situationOf(createWorld())).filter(
    ({ id }) => id === "replication-login",
  );
  expect(results.map(({ status }) => status)).toEqual(["pass", "pass"]);
  expect(results[0]?.found).toContain("step hba opens it");
});

function lines(results: readonly CheckResult[], status: CheckResult["status"]): readonly string[] {
  return results
    .filter((result) => result.status === status)
    .map(({ id, node, found }) => `${id} ${node ?? ""}: ${found}`);
}

/** srv131 streams from srv129, which streams from srv127. */
function cascade(): World {
  const world = createWorld();
  const [, standby] = world.declaration.nodes;
  const facts = world.facts.get("srv129");
  const agent = world.agents.get("srv129");
  const [row] = world.facts.get("srv127")?.database.replication ?? [];
  if (!standby || !facts || !agent || !row) throw new Error("no standby srv129");
  const third = { ...standby, name: "srv131", address: "192.168.4.131", slot: "slot_srv131" };
  const addresses = [{ nic: "eth0", address: third.address, prefix: 24, family: "ipv4" as const }];
  const thirdFacts = { ...facts, host: { ...facts.host, hostname: "srv131", addresses } };
  world.facts.set("srv131", thirdFacts);
  world.agents.set("srv131", { ...agent, node: "srv131", facts: thirdFacts });
  change(world, "srv129", (f) => ({
    ...f,
    database: {
      ...f.database,
      replication: [{ ...row, applicationName: "srv131", clientAddress: third.address }],
      slots: [...f.database.slots, slot("slot_srv131", true, "0/3000060")],
    },
  }));
  const { declaration } = world;
  return { ...world, declaration: { ...declaration, nodes: [...declaration.nodes, third] } };
}

test("a standby in a cascade is in order, and named with whom it streams from", () => {
  const results = runPreflight(situationOf(cascade(), { source: "srv131" }));
  const about = results.filter(({ id, node }) => id.startsWith("standby-") && node === "srv131");
  expect(about.filter(({ status }) => status !== "pass")).toEqual([]);
  expect(about.find(({ id }) => id === "standby-streaming")?.found).toContain("from srv129");
});

test("the primary of a synchronous cluster must be allowed to change the list", () => {
  const world = createWorld({ synchronous: "1 (srv127, srv129)" });
  change(world, "srv127", (f) => ({
    ...f,
    agent: { ...f.agent, verbs: f.agent.verbs.filter((verb) => verb !== "set-synchronous-list") },
  }));
  const verbs = runPreflight(situationOf(world)).filter(({ id }) => id === "agent-verbs");
  expect(verbs.find(({ status }) => status === "fail")?.found).toContain("set-synchronous-list");
});
