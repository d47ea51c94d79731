import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { rules as guardRules } from "#agent/decide/rules/table.ts";

const read = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
const rowsOf = (page: string): readonly string[] =>
  [...page.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map((match) => match[1] ?? "");

test("every rule and check that docs/vendor-checks.md names is one that there is", () => {
  const known = new Set([
    ...guardRules.map(({ id }) => id),
    ...rowsOf(read("preflight.md")),
    ...rowsOf(read("rules.md")),
    ...rowsOf(read("checks.md")),
  ]);
  const named = [...read("vendor-checks.md").matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)]
    .map((match) => match[1] ?? "")
    .filter((name) => !notOurs.has(name));
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

/** Commands and verbs. */
const notOurs = new Set(["confirm-primary", "pool-start"]);

test("every surprise and every pitfall has its row", () => {
  const page = read("vendor-checks.md");
  for (let number = 1; number <= 13; number += 1) expect(page).toMatch(new RegExp(`^\\| S${number} \\|`, "m")); // prettier-ignore
  for (let number = 1; number <= 23; number += 1) expect(page).toMatch(new RegExp(`\\bF${number}\\b`)); // prettier-ignore
});
