import type { PlanStep } from "./plan.ts";

/**
 * Steps in order, as groups that may run at the same time: neighbours of the same kind and phase on
 * different nodes (an hba line or a slot on every node) don't depend on each other.
 */
export function batches(steps: readonly PlanStep[]): readonly (readonly number[])[] {
  const groups: number[][] = [];
  for (const [index, step] of steps.entries()) {
    const group = groups.at(-1);
    const members = group?.map((i) => steps[i]) ?? [];
    const fits =
      step.on !== null &&
      members.length > 0 &&
      members.every(
        (m) =>
          m !== undefined && m.kind === step.kind && m.phase === step.phase && m.on !== step.on,
      );
    if (fits && group !== undefined) group.push(index);
    else groups.push([index]);
  }
  return groups;
}
