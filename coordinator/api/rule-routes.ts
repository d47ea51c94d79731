import { Failure } from "#shared/errors.ts";
import type { Rule } from "../rules/rule.ts";
import { ruleTable } from "../rules/table.ts";
import type { AlertRecord, Store } from "../store/store.ts";
import type { RuleAnswer } from "./contract.ts";
import { get, type Route } from "./routes.ts";

/** The table of rules, each with what breaks it now. */
export function ruleRoutes({ store }: { readonly store: Pick<Store, "alerts"> }): readonly Route[] {
  const answer = (alerts: readonly AlertRecord[], rule: Rule): RuleAnswer => {
    const { id, sentence, severity, needs, wanted, fix } = rule;
    return { id, sentence, severity, needs, wanted, fix, alerts: alerts.filter((alert) => alert.rule === id) }; // prettier-ignore
  };
  return [
    get("/api/rules", () => {
      const alerts = store.alerts({ open: true });
      return ruleTable.map((rule) => answer(alerts, rule));
    }),
    get("/api/rules/:id", ({ parameters }) => {
      const id = parameters["id"] ?? "";
      const rule = ruleTable.find((known) => known.id === id);
      if (rule === undefined) {
        throw new Failure("NOT_FOUND", `There is no rule ${id}.`, { hint: "castellan rules list" });
      }
      return answer(store.alerts({ open: true }), rule);
    }),
  ];
}
