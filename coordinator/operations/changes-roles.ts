import type { OperationRecord, Store } from "../store/store.ts";

type Asked = Pick<OperationRecord, "plan" | "kind" | "state">;

/** It says itself who becomes the primary: its own stop of one may be what others take for a failure. */
export function changesRoles({ plan, kind, state }: Asked): boolean {
  if (kind === "failover") return true;
  // A drill lets its primary be replaced as in earnest, until it takes the fault back.
  const failsPrimary = plan.steps.some((step) => step.kind === "drill" && isOfPrimary(step.args));
  if (failsPrimary) return state === "rolling-back";
  return (plan.reserves ?? []).some(({ classes }) => classes.includes("role"));
}

/** Also one that goes on under another one's lease. */
export function roleChanger(
  store: Pick<Store, "operations">,
  cluster: string,
): OperationRecord | null {
  return store.operations({ cluster, unfinished: true }).find(changesRoles) ?? null;
}

export function isOfPrimary({ fault }: { readonly fault: string }): boolean {
  return fault === "stop-primary" || fault === "kill-primary";
}
