import type { Plan } from "#coordinator/operations/plan.ts";

/** A plan as text: two plans compare line by line. */
export function planText(plan: Plan): string {
  const steps = plan.steps.flatMap((step) => [
    `${step.phase}: ${step.id} on ${step.on ?? "the coordinator"}`,
    `  ${step.title}`,
    ...step.preview.map((line) => `    ${line}`),
  ]);
  return `${[...plan.notes.map((note) => `note: ${note}`), ...steps].join("\n")}\n`;
}
