import type { GuardFinding } from "#shared/domain/facts.ts";
import { stepText, type NearMiss } from "#shared/domain/guard.ts";
import type { Rule } from "./rules/rule.ts";
import { rules as allRules } from "./rules/table.ts";
import { recalled, type SynchronousSince } from "./synchronous-since.ts";
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

/** After a restart: what was open stays open, with its beginning, and what commits are to wait for, until a look says otherwise. */
export function guardStateWith(
  findings: readonly GuardFinding[],
  synchronous: Pick<SynchronousSince, "node" | "names"> | null = null,
): GuardState {
  const rules = Object.fromEntries(
    findings.map((finding) => [finding.rule, { against: 0, finding }]),
  );
  return { memory: { ...emptyMemory, synchronous: recalled(synchronous) }, rules };
}

export type GuardDecision = {
  readonly state: GuardState;
  readonly findings: readonly GuardFinding[];
  readonly opened: readonly GuardFinding[];
  readonly cleared: readonly GuardFinding[];
  /** Rules that are not open, and not far from it. */
  readonly nearMisses: readonly NearMiss[];
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
  const nearMisses: NearMiss[] = [];
  const next: Record<string, RuleState> = {};
  // Found by a rule that this version doesn't have any more.
  for (const [id, { finding }] of Object.entries(state.rules)) {
    if (finding !== null && !rules.some((rule) => rule.id === id)) cleared.push(finding);
  }
  for (const rule of rules) {
    const before = state.rules[rule.id] ?? { against: 0, finding: null };
    const evidence = rule.when(view, memory, now);
    const after = step(rule, before, evidence, view, memory, now);
    next[rule.id] = after;
    if (before.finding === null && after.finding !== null) opened.push(after.finding);
    if (before.finding !== null && after.finding === null) cleared.push(before.finding);
    if (after.finding !== null) continue;
    const near =
      evidence === null
        ? (rule.nearly?.(view, memory) ?? null)
        : { evidence, missing: `${rule.looks - after.against} more looks that agree` };
    if (near !== null) nearMisses.push(nearMiss(rule, near));
  }
  return {
    state: { memory, rules: next },
    findings: rules.flatMap((rule) => next[rule.id]?.finding ?? []),
    opened,
    cleared,
    nearMisses,
  };
}

function step(
  rule: Rule,
  before: RuleState,
  evidence: string | null,
  view: GuardView,
  memory: GuardMemory,
  now: number,
): RuleState {
  const found = (since: number, seen: string): GuardFinding => {
    const { id, because, severity, next } = rule;
    const would = (rule.steps?.(view, memory) ?? []).map(stepText);
    return { rule: id, because, severity, since, would, evidence: seen, next };
  };
  const { finding } = before;
  if (evidence !== null && finding !== null) {
    return { against: 0, finding: found(finding.since, evidence) };
  }
  if (evidence === null && finding === null) return { against: 0, finding };
  const against = before.against + 1;
  if (against < rule.looks) return { against, finding };
  return { against: 0, finding: evidence === null ? null : found(now, evidence) };
}

function nearMiss(rule: Rule, { evidence, missing }: Omit<NearMiss, "rule">): NearMiss {
  return { rule: rule.id, evidence: evidence.slice(0, 1_000), missing: missing.slice(0, 500) };
}
