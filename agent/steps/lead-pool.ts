import { crashPoint } from "#shared/crash-point.ts";
import { evidence } from "./evidence.ts";
import { poolControl } from "./pool-door.ts";
import { notLoaded, placeOf, rowInPool } from "./pool-rows.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

/**
 * A pool looks for the primary only while it fails over. One that has noticed the stop of the former primary is doing so; any
 * other is made to, by a detach of that one's row at the watchdog's leader, and by itself where it has no watchdog.
 */
export const leadPool: ChangeStep<"lead-pool"> = {
  check: async ({ to }, context) => {
    await using control = await poolControl(context);
    const found = await rowInPool(control.pcp, to);
    if (found === null) throw notLoaded(to);
    return found.role === "primary" && found.status === "up"
      ? evidence([`this pool knows ${placeOf(to)} as the primary`], { alreadyDone: true })
      : null;
  },
  apply: async ({ from }, context) => {
    await using control = await poolControl(context);
    const found = await rowInPool(control.pcp, from);
    if (!control.acts || found?.status !== "up") return;
    await control.pcp.detach(from.id);
    crashPoint("step:former-primary-detached");
  },
  verify: async ({ to, stallMs }, context) => {
    await using control = await poolControl(context);
    const what = `backend ${to.id} ${placeOf(to)} as the pool's primary`;
    await watchProgress(context, { stallMs, everyMs: 20, what }, async () => {
      const found = await rowInPool(control.pcp, to);
      const shown = found === null ? "missing" : `${found.status}, ${found.role ?? "without a role"}`; // prettier-ignore
      return found?.role === "primary" && found.status === "up"
        ? { state: "done", value: null }
        : { state: "waiting", token: shown, missing: `this pool shows it ${shown}` };
    });
    return evidence([`this pool knows ${placeOf(to)} as the primary`]);
  },
  undo: () => Promise.resolve(evidence(["the pool goes by the databases"])),
};
