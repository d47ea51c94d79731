import type { GuardFinding } from "#shared/domain/facts.ts";
import { mostNearMisses, type Decision, type GuardMode } from "#shared/domain/guard.ts";
import { decisionInputs } from "./inputs.ts";
import type { GuardDecision } from "./decide.ts";
import type { Rule } from "./rules/rule.ts";
import { rules as allRules } from "./rules/table.ts";
import type { GuardView } from "./view.ts";

type DecisionDraft = Omit<Decision, "id" | "node" | "at">;

/** What this look decided, to be kept: a row for each finding that opened or is over. */
export function decisionsOf(
  { opened, cleared, nearMisses, state }: GuardDecision,
  view: GuardView,
  mode: GuardMode,
  rules: readonly Rule[] = allRules,
): readonly DecisionDraft[] {
  if (opened.length + cleared.length === 0) return [];
  const common = {
    inputs: decisionInputs(view, state.memory),
    nearMisses: nearMisses.slice(0, mostNearMisses),
  };
  const draft = (finding: GuardFinding, turn: "opened" | "cleared"): readonly DecisionDraft[] => {
    const rule = rules.find(({ id }) => id === finding.rule);
    // Of a version before this one: it is over, and nothing more is known of it.
    if (rule === undefined) return [];
    const { id, because, class: touches } = rule;
    const steps = turn === "cleared" ? [] : [...(rule.steps?.(view, state.memory) ?? [])];
    const isHeld = mode.mode === "maintenance" && steps.length > 0;
    return [
      {
        rule: id,
        because,
        evidence: finding.evidence.slice(0, 2_000),
        class: touches,
        steps,
        outcome: turn === "cleared" ? "cleared" : isHeld ? "held" : "would",
        why: isHeld ? heldBecause(mode) : null,
        ...common,
      },
    ];
  };
  return [
    ...opened.flatMap((finding) => draft(finding, "opened")),
    ...cleared.flatMap((finding) => draft(finding, "cleared")),
  ];
}

function heldBecause({ by, note, until }: GuardMode): string {
  const end = until === null ? "" : ` until ${new Date(until).toISOString()}`;
  const why = note === null ? "" : ` (${note})`;
  return `maintenance${end}, by ${by ?? "?"}${why}`.slice(0, 1_000);
}
