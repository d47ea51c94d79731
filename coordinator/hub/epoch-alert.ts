import type { Store } from "../store/store.ts";
import type { Hello } from "./agent-link.ts";
import { alertCause } from "./host-events.ts";

/**
 * An agent that has obeyed a newer coordinator refuses everything of this one, which is right: this journal
 * does not know what was done since. But it must be said, or nobody knows why nothing works.
 */
export function judgeEpoch(
  { store }: { readonly store: Pick<Store, "raiseAlert" | "resolveAlert"> },
  { node, highestEpoch }: Hello,
  epoch: number,
  now: number,
): void {
  const cause = alertCause(node, "newer-epoch");
  if (highestEpoch <= epoch) {
    store.resolveAlert(cause, now);
    return;
  }
  store.raiseAlert(
    {
      cause,
      severity: "critical",
      node,
      summary: `${node} has obeyed a coordinator of epoch ${highestEpoch} and refuses this one, of epoch ${epoch}`,
      detail: `Either another coordinator is in charge: then stop this one. Or this journal was restored from an old copy: put the newest one in its place. If that is lost for good, move this state directory aside, begin anew with "castellan init" (a new journal outranks every older one) and let the agents join again.`,
    },
    now,
  );
}
