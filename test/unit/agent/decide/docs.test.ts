import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Rule } from "#agent/decide/rules/rule.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { emptyMemory } from "#agent/decide/view.ts";
import { stepText } from "#shared/domain/guard.ts";
import { acts } from "./acts/all-acts.ts";

test("every row that acts is shown where it does, and no other", () => {
  const acting = rules.filter((rule) => rule.steps !== undefined).map(({ id }) => id);
  expect(Object.keys(acts).toSorted()).toEqual(acting.toSorted());
  for (const { id, steps } of rules) {
    for (const [where, seen] of acts[id] ?? []) expect([where, steps?.(seen, emptyMemory)]).not.toEqual([where, []]); // prettier-ignore
  }
});

/** Written anew by `npx vitest run --config test/vitest.config.ts --project unit decide/docs --update`. */
test("the table in docs/guard.md is the guard's", async () => {
  const page = readFileSync(new URL("../../../../docs/guard.md", import.meta.url), "utf8");
  const parts = /^(.*<!-- the table of [^\n]*-->\n\n).*(\n<!-- end of the table -->\n.*)$/s.exec(
    page,
  );
  const table = [
    "| rule | severity | class | looks | because | in charge | what a person does |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rules.map(
      (rule) =>
        `| \`${rule.id}\` | ${rule.severity} | ${rule.class} | ${rule.looks} | ${rule.because} | ${stepsIn(rule)} | ${rule.next} |`,
    ),
    "",
  ].join("\n");
  await expect(`${parts?.[1]}${table}${parts?.[2]}`).toMatchFileSnapshot("../../../../docs/guard.md"); // prettier-ignore
});

function stepsIn({ id, steps, witness }: Rule): string {
  const told = (acts[id] ?? []).map(([where, seen]) => {
    const words = (steps?.(seen, emptyMemory) ?? []).map(stepText).join(", then ");
    return `${where}: ${words}`;
  });
  if (told.length === 0) return "tells";
  return `${told.join("; ")}${witness === undefined ? "" : "; with a second witness"}`;
}
