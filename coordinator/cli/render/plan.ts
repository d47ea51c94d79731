import type { Plan } from "../../operations/plan.ts";
import { renderChecks, renderForecast } from "./checks.ts";
import { indent } from "./table.ts";

/** The whole plan, as `--dry-run` and `operation show` print it: checks, forecast, every step with its exact edits. */
export function renderPlan(plan: Plan): readonly string[] {
  return [
    ...(plan.checks.length === 0
      ? []
      : ["Preflight", ...indent(renderChecks(plan.checks, false), "  "), ""]),
    ...(plan.forecast === null
      ? []
      : ["Forecast", ...indent(renderForecast(plan.forecast), "  "), ""]),
    ...(plan.notes.length === 0
      ? []
      : ["Know beforehand", ...plan.notes.map((note) => `  - ${note}`), ""]),
    "Steps",
    ...plan.steps.flatMap((step, index) => [
      `${String(index + 1).padStart(3)}. ${step.title}  [${step.id}]`,
      ...indent(step.preview, "       "),
    ]),
    ...(plan.digest === undefined ? [] : ["", `Plan ${plan.digest}`]),
  ];
}
