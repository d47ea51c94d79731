import type { RuleAnswer } from "../../api/contract.ts";
import { bySeverity } from "./severity.ts";
import { indent, renderTable } from "./table.ts";
import { renderTime } from "./units.ts";
import { wrap } from "./wrap.ts";

/** Broken ones first: what is in order needs no eye. */
export function renderRules(rules: readonly RuleAnswer[]): readonly string[] {
  const broken = rules.filter(({ alerts }) => alerts.length > 0);
  const kept = rules.filter(({ alerts }) => alerts.length === 0);
  const rows = [...broken, ...kept].map((rule) => [
    rule.alerts.length === 0 ? "" : `broken ${rule.alerts.length}×`,
    rule.severity,
    rule.id,
    rule.sentence,
  ]);
  return [
    ...renderTable(["NOW", "SEVERITY", "RULE", "KEPT WHEN"], rows),
    `${rules.length} rules, ${broken.length} broken. castellan rules explain RULE`,
  ];
}

export function renderRule(rule: RuleAnswer): readonly string[] {
  const where = rule.needs.map((need) => needs[need]);
  return [
    `${rule.id} (${rule.severity})`,
    ...labelled("kept when", rule.sentence),
    ...labelled("wanted", rule.wanted),
    ...labelled("fix", rule.fix),
    ...labelled("applies to", where.length === 0 ? "every cluster" : where.join(", ")),
    "",
    ...(rule.alerts.length === 0
      ? ["It is broken nowhere, as far as the agents that are there can see."]
      : bySeverity(rule.alerts).flatMap((alert) => [
          `${alert.severity}  ${alert.state}  ${alert.summary}  [alert ${alert.id}]`,
          ...indent(
            [
              `since ${renderTime(alert.firstSeenAt)}, cause ${alert.cause}`,
              ...(alert.file === null
                ? []
                : [`${alert.file}${alert.line === null ? "" : `:${alert.line}`}`]),
              // Most say what the rule does.
              ...(alert.fix === null || alert.fix === rule.fix
                ? []
                : wrap(`fix: ${alert.fix}`, width)),
            ],
            "  ",
          ),
        ])),
  ];
}

/** A terminal that nobody has widened, less the labels. */
const width = 66;
const needs: Readonly<Record<RuleAnswer["needs"][number], string>> = {
  vendor: "KingbaseES V8R3",
  pool: "clusters with a pool",
};

function labelled(label: string, text: string): readonly string[] {
  return wrap(text, width).map((line, i) => `  ${(i === 0 ? label : "").padEnd(11)} ${line}`);
}
