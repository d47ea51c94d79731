import type { GuardFinding } from "#shared/domain/facts.ts";
import { mostNearMisses, type Decision, type GuardStep } from "#shared/domain/guard.ts";
import { decisionInputs } from "./inputs.ts";
import type { GuardDecision } from "./decide.ts";
import type { Rule } from "./rules/rule.ts";
import { rules as allRules } from "./rules/table.ts";
import type { GuardView } from "./view.ts";

type DecisionDraft = Omit<Decision, "id" | "node" | "at">;

/** What was decided of a finding, to be kept. */
export function decisionDraft(
  { rule, evidence }: Pick<GuardFinding, "rule" | "evidence">,
  { class: touches, because }: Rule,
  decided: Pick<DecisionDraft, "steps" | "outcome" | "why">,
  { nearMisses, state }: GuardDecision,
  view: GuardView,
): DecisionDraft {
  return {
    rule,
    because,
    evidence: evidence.slice(0, 2_000),
    class: touches,
    ...decided,
    inputs: decisionInputs(view, state.memory),
    nearMisses: nearMisses.slice(0, mostNearMisses),
  };
}

/** Findings that are over; of one by a rule of a version before this one nothing more is known. */
export function clearedDrafts(
  decided: GuardDecision,
  view: GuardView,
  rules: readonly Rule[] = allRules,
): readonly DecisionDraft[] {
  return decided.cleared.flatMap((finding) => {
    const rule = rules.find(({ id }) => id === finding.rule);
    const over = { steps: [] as GuardStep[], outcome: "cleared", why: null } as const;
    return rule === undefined ? [] : [decisionDraft(finding, rule, over, decided, view)];
  });
}
