import { describe, expect, test } from "vitest";
import { ruleTable } from "#coordinator/rules/table.ts";
import { ruleCases } from "./cases.ts";
import { broken, evaluate, ruleWorld } from "./rule-world.ts";

describe.each(ruleCases)("$rule ($says)", ({ pitfall, rule, options, breaks, keeps, says, on }) => {
  const title = "is broken, and its breach says where and what to do";
  test(pitfall === undefined ? title : `${pitfall}: ${title}`, () => {
    const world = ruleWorld(options);
    breaks(world);
    const breaches = evaluate(world).breaches.filter((breach) => breach.rule.id === rule);
    const found = breaches.filter(({ node }) => node === on);
    expect(found.map((breach) => breach.found).join("\n"), JSON.stringify(broken(world))).toMatch(says); // prettier-ignore
    for (const breach of found) {
      expect(breach.cause.startsWith(`rule:ESHA:${rule}${on === null ? "" : `:${on}`}`)).toBe(true);
      expect(breach.wanted).not.toBe("");
      expect(breach.fix).not.toBe("");
    }
    // Where a file is named, a person finds the place in it.
    for (const { file, line } of breaches) if (line !== null) expect(file).not.toBeNull();
  });

  test("is kept just short of that", () => {
    const world = ruleWorld(options);
    keeps(world);
    expect(broken(world, rule)).toEqual([]);
  });
});

test("every rule has a case in which it is broken", () => {
  const tested = new Set(ruleCases.map(({ rule }) => rule));
  expect(ruleTable.map(({ id }) => id).filter((id) => !tested.has(id))).toEqual([]);
});

test("there are at least twenty-five rules, each with an id of its own", () => {
  const ids = ruleTable.map(({ id }) => id);
  expect(ids.length).toBeGreaterThanOrEqual(25);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z][a-z0-9-]+$/);
});
