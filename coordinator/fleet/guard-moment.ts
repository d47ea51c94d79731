import type { GuardMoment } from "../api/guard-contract.ts";
import type { DecisionRecord } from "../store/store.ts";

/** From a node's decisions, the newest first; null where none is as old as that. */
export function guardMoment(
  node: string,
  decisions: readonly DecisionRecord[],
  at: number,
): GuardMoment | null {
  const upTo = decisions.filter((record) => record.at <= at);
  const last = upTo[0];
  if (last === undefined) return null;
  const sameLook = upTo.filter(({ decision }) => decision.at === last.decision.at);
  return {
    node,
    at,
    decidedAt: last.at,
    decisions: sameLook.toReversed().map(({ decision }) => {
      const { inputs: _inputs, nearMisses: _nearMisses, ...rest } = decision;
      return rest;
    }),
    inputs: JSON.parse(last.decision.inputs),
    nearMisses: last.decision.nearMisses,
    standing: standingAfter(upTo.toReversed()),
  };
}

/** Of findings that are not over, with their beginning and what was seen of them last. */
function standingAfter(records: readonly DecisionRecord[]): GuardMoment["standing"] {
  const standing = new Map<string, GuardMoment["standing"][number]>();
  for (const { at, decision } of records) {
    const { rule, because, evidence, outcome } = decision;
    const since = standing.get(rule)?.since ?? at;
    if (outcome === "cleared") standing.delete(rule);
    else standing.set(rule, { rule, because, evidence, since });
  }
  return [...standing.values()];
}
