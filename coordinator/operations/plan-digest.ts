import { createHash } from "node:crypto";
import * as z from "zod";
import type { Plan, PlanStep } from "./plan.ts";

/** What `--dry-run` prints and `--plan` takes. */
export const PlanDigest = z
  .string()
  .regex(/^[0-9a-f]{16}$/, "16 hexadecimal digits, as --dry-run printed them");

/**
 * What a person agrees to: the declaration, who leads the cluster, every step with its arguments, and the files that the
 * edits were worked out from. Left out is what is measured anew each time and only ever shown as a figure.
 */
export function planDigest(cluster: string, plan: Plan): string {
  const agreed = {
    cluster,
    declaration: plan.declarationHash,
    premise: plan.premise ?? null,
    ...(plan.walBudgetLimit === undefined ? {} : { walBudgetLimit: plan.walBudgetLimit }),
    files: plan.files ?? [],
    steps: plan.steps.map((step) => canonicalStep(step)),
  };
  return createHash("sha256").update(canonical(agreed)).digest("hex").slice(0, 16);
}

/** One step as text: equal for two plans when they would do the same. */
export function canonicalStep(step: PlanStep): string {
  const left = new Set(measured[step.kind] ?? []);
  const args = Object.fromEntries(Object.entries(step.args).filter(([name]) => !left.has(name)));
  const preconditions = step.on === null ? null : step.preconditions;
  return canonical({ id: step.id, on: step.on, kind: step.kind, args, preconditions });
}

/** Sizes that change while people read the plan; what limits them is agreed to (`walBudgetLimit`). */
const measured: Partial<Record<PlanStep["kind"], readonly string[]>> = {
  "base-backup": ["expectedBytes"],
  "create-slot": ["walBudgetBytes"],
};

/** JSON with its keys in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
