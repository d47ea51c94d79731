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
  const newestOfRule = new Map(upTo.toReversed().map((record) => [record.decision.rule, record]));
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
    standing: [...newestOfRule.values()]
      .filter(({ decision }) => decision.outcome !== "cleared")
      .map(({ at: since, decision: { rule, because, evidence } }) => ({
        rule,
        because,
        evidence,
        since,
      })),
  };
}
