import type { AlertRecord, OperationRecord } from "../../store/store.ts";

export type StandingAlert = Pick<AlertRecord, "cause" | "severity" | "node" | "summary" | "detail">;

/** What an operator accepted for the sake of an addition stays visible afterwards. */
export function standingAlerts(operation: OperationRecord): readonly StandingAlert[] {
  if (operation.kind !== "add-node" || operation.state !== "succeeded") return [];
  const accepted = operation.plan.checks.filter(
    ({ id, status }) => id === "ssh-trust" && status === "warn",
  );
  if (accepted.length === 0) return [];
  const node = operation.subject;
  return [
    {
      cause: `not-promotable:${node}`,
      severity: "warning",
      node,
      summary: `${node} can't be promoted by the vendor's scripts`,
      detail: accepted
        .map((check) => `${check.node ?? ""}: ${check.found} ${check.fix}`)
        .join("\n"),
    },
  ];
}
