import { expect, test } from "vitest";
import { checkThemes } from "#coordinator/operations/add-node/preflight/table.ts";

/** The page follows from the table: `npx vitest run --config test/vitest.config.ts -u preflight/docs` writes it anew. */
test("docs/preflight.md is the table of checks", async () => {
  const count = checkThemes.reduce((sum, { checks }) => sum + checks.length, 0);
  const page = [
    "# What preflight checks",
    "",
    `\`castellan preflight CLUSTER NODE --address A\` and \`castellan node add\` look at these ${count} things before anything is`,
    "touched. Every finding says what was found, what is wanted, and what to type. A check that fails stops the operation;",
    "a warning is for the operator to judge. Checks that have nothing to say about a cluster are left out.",
    "",
    "This page is generated from the table in `coordinator/operations/add-node/preflight/`.",
    ...checkThemes.flatMap(({ title, checks }) => [
      "",
      `## ${title}`,
      "",
      "| check | passes when | wanted |",
      "| --- | --- | --- |",
      ...checks.map(
        ({ id, title: sentence, wanted }) => `| \`${id}\` | ${cell(sentence)} | ${cell(wanted)} |`,
      ),
    ]),
    "",
  ].join("\n");
  await expect(page).toMatchFileSnapshot("../../../../docs/preflight.md");
});

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
