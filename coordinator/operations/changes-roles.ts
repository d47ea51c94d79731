import type { OperationRecord } from "../store/store.ts";

/** It says itself who becomes the primary: its own stop of one may be what others take for a failure. */
export function changesRoles({ plan, kind }: Pick<OperationRecord, "plan" | "kind">): boolean {
  return kind === "failover" || (plan.reserves ?? []).some(({ classes }) => classes.includes("role")); // prettier-ignore
}
