import { Evidence } from "#shared/domain/commands.ts";
import type { OperationRecord } from "../../store/store.ts";

/**
 * The nodes whose lines a handback gives back: not where the takeover found them commented by hand. A node that was added
 * since had its line commented as the others, and goes by them. A journal that knows of no takeover and of no handback
 * proves nothing.
 */
export function takenFrom(
  nodes: readonly string[],
  operations: readonly OperationRecord[],
): readonly string[] {
  const handedBackAt = operations
    .filter(({ kind, state }) => kind === "guard-handback" && state === "succeeded")
    .reduce((last, { requestedAt }) => Math.max(last, requestedAt), -Infinity);
  const takeovers = operations
    .filter(({ kind, requestedAt }) => kind === "guard-takeover" && requestedAt > handedBackAt)
    .filter(({ state }) => state !== "rolled-back" && state !== "cancelled")
    .toSorted((a, b) => a.requestedAt - b.requestedAt)
    .map(cronSteps);
  const [first] = takeovers;
  if (first === undefined) return handedBackAt === -Infinity ? nodes : [];
  const taken = takeovers.flat().filter(({ foundCommented }) => !foundCommented);
  return nodes.filter((node) =>
    first.some(({ on }) => on === node) ? taken.some(({ on }) => on === node) : taken.length > 0,
  );
}

function cronSteps({ plan, steps }: OperationRecord) {
  return plan.steps.flatMap(({ kind, on }, index) => {
    if (kind !== "take-over-cron") return [];
    const evidence = Evidence.safeParse(steps[index]?.evidence).data;
    return [{ on, foundCommented: evidence?.alreadyDone === true }];
  });
}
