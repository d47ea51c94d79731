import { describe, expect, test } from "vitest";
import { checkTable } from "#coordinator/operations/add-node/preflight/table.ts";
import { runPreflight } from "#coordinator/operations/add-node/preflight/preflight.ts";
import type { CheckResult } from "#coordinator/operations/plan.ts";
import { createWorld, situationOf, type WorldOptions } from "../facts-builder.ts";
import { cases } from "./cases.ts";

describe.each(cases)(
  "$check",
  ({ check, when, status, options = {}, request = {}, edit, says }) => {
    test(`says ${status} when ${when}`, () => {
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
