import type { CheckResult } from "../../plan.ts";
import type { Situation } from "../situation.ts";
import { checkTable } from "./table.ts";

/** Every check that applies, in the order of the table: one result, or one for each node that it looks at. */
export function runPreflight(situation: Situation): readonly CheckResult[] {
  return checkTable.flatMap((check): readonly CheckResult[] => {
    if (!check.applies(situation)) return [];
    const verdicts = check.evaluate(situation);
    const list = Array.isArray(verdicts) ? verdicts : [verdicts];
    return list.map(({ status, node, found, wanted, fix }) => ({
      id: check.id,
      title: check.title,
      node,
      status,
      found,
      wanted: wanted ?? check.wanted,
      fix,
    }));
  });
}
