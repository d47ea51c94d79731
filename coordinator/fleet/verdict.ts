import type { Finding, Verdict } from "./finding.ts";
import type { JudgedCluster } from "./finding-rule.ts";
import { findingRules } from "./finding-rules.ts";

/** Is it all right, and if not, what is to be done? */
export function judgeCluster(cluster: JudgedCluster): Verdict {
  const own = findingRules.flatMap(
    ({ find, alsoSaidBy: _alsoSaidBy, ...row }): readonly Finding[] =>
      find(cluster).map((found) => ({ ...row, ...found })),
  );
  const findings = [...own, ...saidByGuards(cluster, own)].toSorted(
    (a, b) => weights.indexOf(weightOf(a)) - weights.indexOf(weightOf(b)),
  );
  return { state: worstState(findings.map(({ makes }) => makes ?? "healthy")), findings };
}

export function worstState(states: readonly Verdict["state"][]): Verdict["state"] {
  return (["down", "degraded"] as const).find((state) => states.includes(state)) ?? "healthy";
}

const weights = ["down", "critical", "warning", "unknown"] as const;

function weightOf({ makes, severity }: Finding): (typeof weights)[number] {
  return makes === "down" ? "down" : severity;
}

/** What the guards have found of their nodes, less what a row of the table says of the node already. */
function saidByGuards({ name, nodes }: JudgedCluster, own: readonly Finding[]): readonly Finding[] {
  return nodes.flatMap((node) =>
    (node.guard?.findings ?? []).flatMap(
      ({ rule, because, severity, evidence, next }): readonly Finding[] => {
        const isSaid = findingRules.some(
          (row) =>
            row.alsoSaidBy?.includes(rule) === true &&
            own.some((one) => one.rule === row.rule && (one.node ?? node.name) === node.name),
        );
        if (severity === "info" || isSaid) return [];
        return [
          {
            rule,
            area: "guard",
            severity,
            makes: "degraded",
            node: node.name,
            found: evidence === "" ? because : `${because}: ${evidence}`,
            wanted: "its guard finds nothing",
            next: next ?? `castellan guard status ${name}`,
          },
        ];
      },
    ),
  );
}
