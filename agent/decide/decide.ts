import type { GuardFinding } from "#shared/domain/facts.ts";
import { rules as allRules, type Rule } from "./rules.ts";
import { emptyMemory, remember, type GuardMemory, type GuardView } from "./view.ts";

type RuleState = {
  /** Looks in a row that disagree with the present state of the finding. */
  readonly against: number;
  readonly finding: GuardFinding | null;
};

export type GuardState = {
  readonly memory: GuardMemory;
  readonly rules: Readonly<Record<string, RuleState>>;
};

const initialGuardState: GuardState = { memory: emptyMemory, rules: {} };

/** After a restart: what was open stays open, with its beginning, until a look says otherwise. */
export function guardStateWith(findings: readonly GuardFinding[]): GuardState {
  const rules = Object.fromEntries(
    findings.map((finding) => [finding.rule, { against: 0, finding }]),
  );
  return { ...initialGuardState, rules };
}

export type GuardDecision = {
  readonly state: GuardState;
  readonly findings: readonly GuardFinding[];
  readonly opened: readonly GuardFinding[];
  readonly cleared: readonly GuardFinding[];
};

/**
 * One look: the whole table against the whole state. A finding opens, and is cleared, only after as many looks in a
 * row as its rule asks for; an open one keeps its beginning and gets the newest evidence.
 */
export function decide(
  state: GuardState,
  view: GuardView,
  now: number,
  rules: readonly Rule[] = allRules,
): GuardDecision {
  const memory = remember(state.memory, view, now);
  const opened: GuardFinding[] = [];
  const cleared: GuardFinding[] = [];
  const next: Record<string, RuleState> = {};
  // Found by a rule that this version doesn't have any more.
  for (const [id, { finding }] of Object.entries(state.rules)) {
    if (finding !== null && !rules.some((rule) => rule.id === id)) cleared.push(finding);
  }
  for (const rule of rules) {
    const before = state.rules[rule.id] ?? { against: 0, finding: null };
    const evidence = rule.when(view, memory, now);
    const after = step(rule, before, evidence, now);
    next[rule.id] = after;
    if (before.finding === null && after.finding !== null) opened.push(after.finding);
    if (before.finding !== null && after.finding === null) cleared.push(before.finding);
  }
  return {
    state: { memory, rules: next },
    findings: rules.flatMap((rule) => next[rule.id]?.finding ?? []),
    opened,
    cleared,
  };
}

function step(rule: Rule, before: RuleState, evidence: string | null, now: number): RuleState {
  const agrees = (evidence !== null) === (before.finding !== null);
  if (agrees) {
    const finding =
      before.finding === null || evidence === null ? null : { ...before.finding, evidence };
    return { against: 0, finding };
  }
  const against = before.against + 1;
  if (against < rule.looks) return { against, finding: before.finding };
  if (evidence === null) return { against: 0, finding: null };
  const { id, because, severity, would } = rule;
  return {
    against: 0,
    finding: { rule: id, because, severity, since: now, would: [...would], evidence },
  };
}
