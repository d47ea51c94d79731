import type { Store } from "../store/store.ts";
import type { Hello } from "./agent-link.ts";
import { alertCause } from "./host-events.ts";

/**
 * An agent that has obeyed a newer coordinator refuses everything of this one, which is right: this journal
 * does not know what was done since. But it must be said, or nobody knows why nothing works. One that has obeyed
 * somebody between this journal's last two starts obeys this one, whose journal has missed what was done then:
 * the answer is why nothing may simply go on.
 */
export function judgeEpoch(
  {
    store,
  }: {
    readonly store: Pick<Store, "raiseAlert" | "resolveAlert" | "epoch" | "epochBefore">;
  },
  { node, highestEpoch }: Hello,
  now: number,
): string | null {
  const { epoch, epochBefore } = store;
  const cause = alertCause(node, "newer-epoch");
  if (highestEpoch <= epoch) {
    store.resolveAlert(cause, now);
    if (highestEpoch <= epochBefore || highestEpoch === epoch) return null;
    const at = new Date(highestEpoch).toISOString();
    const message = `${node} has obeyed another coordinator, of epoch ${highestEpoch} (started ${at}), which this journal does not know: it is an old copy, or another coordinator was in charge meanwhile.`;
    store.raiseAlert(
      {
        cause: alertCause(node, "unknown-epoch"),
        severity: "critical",
        node,
        summary: message,
        detail: `Make sure that no other coordinator runs. Operations that were under way in this journal are held: castellan operation list. If a newer journal exists, stop this coordinator and put that one back.`,
      },
      now,
    );
    return message;
  }
  store.raiseAlert(
    {
      cause,
      severity: "critical",
      node,
      summary: `${node} has obeyed a coordinator of epoch ${highestEpoch} and refuses this one, of epoch ${epoch}`,
      detail: `Another coordinator, on a copy of this journal, was started after this one: stop one of them, and restart the one that stays (each start outranks those before it). If there is no other, the clock of this host was ahead when an earlier one started: restart this one when its clock is right.`,
    },
    now,
  );
  return null;
}
