import { evidence } from "./evidence.ts";
import type { SetStep } from "./step.ts";

/** Asked for again, it lasts from now on. */
export const setMaintenance: SetStep<"set-maintenance"> = {
  apply: ({ forMs, by, note }, { guardModes }) =>
    forMs === null ? guardModes.endMaintenance() : guardModes.beginMaintenance({ forMs, by, note }),
  verify: (_args, { guardModes }) => {
    const guard = guardModes.current();
    const until = guard.until === null ? "" : ` until ${new Date(guard.until).toISOString()}`;
    return Promise.resolve({ ...evidence([`the guard is in mode ${guard.mode}${until}`]), guard });
  },
};
