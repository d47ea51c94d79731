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

test("every surprise and every pitfall has its scenes, which name it", () => {
  const rows = [...read("vendor-checks.md").matchAll(/^\| ([SF]\d+(?:, [SF]\d+)*) \|.*\| ([^|]*) \|$/gm)]; // prettier-ignore
  const proved = rows.flatMap(([, ids = "", cell = ""]) => {
    const scenes = [...cell.matchAll(/`([^`]+)`/g)].map((match) =>
      readFileSync(new URL(`../${match[1]}`, import.meta.url), "utf8"),
    );
    const isNamed = (id: string): boolean =>
      scenes.length > 0 && scenes.every((text) => isScene(text, id));
    return ids.split(", ").filter(isNamed);
  });
  const all = (letter: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_, at) => `${letter}${at + 1}`);
  expect(new Set(proved)).toEqual(new Set([...all("S", 13), ...all("F", 23)]));
});

/** In a title, or in a case whose title begins with it. */
function isScene(text: string, id: string): boolean {
  return text.includes(`pitfall: "${id}"`) || new RegExp(`\\b${id}: `).test(text);
}
