import type { Store } from "../../store/store.ts";

/** A host that is no node any more is judged by nothing; its agent may be there, and is looked at as for the first time. */
export function forgetNode(
  node: string,
  store: Pick<Store, "alerts" | "resolveAlert" | "forgetFiles">,
  now: number,
): void {
  store.forgetFiles(node);
  for (const alert of store.alerts({ open: true })) {
    if (alert.node === node) store.resolveAlert(alert.cause, now);
  }
}
