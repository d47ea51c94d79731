import { expect, test } from "vitest";
import { ruleThemes } from "#coordinator/rules/table.ts";
import type { Rule } from "#coordinator/rules/rule.ts";

/** The page follows from the table: `npx vitest run --config test/vitest.config.ts rules/docs --update` writes it anew. */
test("docs/rules.md is the table of rules", async () => {
  const count = ruleThemes.reduce((sum, { rules }) => sum + rules.length, 0);
  const page = [
    "# The rules across nodes and files",
    "",
    `What has to agree between the files, servers and hosts of a cluster: ${count} rules. The coordinator judges them whenever`,
    "an agent tells of a change, from what the agents see, with every secret masked. A broken rule is an alert",
    "(`rule:CLUSTER:RULE[:NODE[:WHAT]]`) that says what was found, where, what is wanted and what to do; it is over as soon as",
    "the rule is kept again. While an operation of Castellan's runs on a cluster nothing new is alerted there: what it leaves is",
    "judged at its end. Of what nobody can see now (an agent away, a file that can't be read) nothing is said, and a standing",
    "alert stays as it is.",
    "",
    "A rule that is *one alert* is mended as one piece of work, and long-standing where nobody has done it: its alert lists all",
    "places on all nodes, with the line or command that each of them wants. A place that can't be seen any more stays listed, and",
    "where the alert was acknowledged it is not opened again when only fewer places are left.",
    "",
    "`critical` is what makes a failover, a restart or the pool go wrong, or lets anybody in; a default of the vendor's that has",
    "done no harm for years is `warning` or `info`.",
    "",
    "`castellan rules list` shows them with what is broken now, `castellan rules explain RULE` one of them.",
    "",
    "This page is generated from the table in `coordinator/rules/`.",
    ...ruleThemes.flatMap(({ title, rules }) => [
      "",
      `## ${title}`,
      "",
      "| rule | severity | kept when | wanted | fix | applies to |",
      "| --- | --- | --- | --- | --- | --- |",
      ...rules.map(
        (rule) =>
          `| \`${rule.id}\` | ${rule.severity}${rule.isOneAlert === true ? ", one alert" : ""} | ${cell(rule.sentence)} | ${cell(rule.wanted)} | ${cell(rule.fix)} | ${placesOf(rule)} |`,
      ),
    ]),
    "",
    "## How they are proved",
    "",
    "Each rule is broken, and kept just short of that, in `test/unit/coordinator/rules/`; `test/e2e/rules.test.ts` breaks them on",
    "real files and servers, sees the alert, mends them as the alert proposes and sees it over.",
    "",
  ].join("\n");
  await expect(page).toMatchFileSnapshot("../../../../docs/rules.md");
});

function placesOf({ needs }: Rule): string {
  const names = { vendor: "KingbaseES V8R3", pool: "with a pool" };
  return needs.length === 0 ? "all" : needs.map((need) => names[need]).join(", ");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
