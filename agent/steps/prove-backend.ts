import { evidence } from "./evidence.ts";
import { failbackIsOver, heldDoor, poolControl } from "./pool-door.ts";
import { notLoaded, placeOf, rowInPool } from "./pool-rows.ts";
import type { ReadStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

/** This pool shows the row up and as a standby; with the door held, also that sessions may be heard again. */
export const proveBackend: ReadStep<"prove-backend"> = {
  verify: async ({ row, stallMs }, context) => {
    await using control = await poolControl(context);
    const what = `backend ${row.id} ${placeOf(row)}`;
    const hint = `If the pool has put it aside meanwhile: once it streams, pcp_attach_node -n ${row.id}.`;
    const limits = { stallMs, everyMs: 5, what, hint };
    const role = await watchProgress(context, limits, async () => {
      const found = await rowInPool(control.pcp, row);
      if (found === null) throw notLoaded(row);
      return found.status === "up"
        ? { state: "done", value: found.role }
        : { state: "waiting", token: found.status, missing: `this pool shows it ${found.status}` };
    });
    const door = heldDoor(context.operationId);
    const over = door?.refusal === null ? [await failbackIsOver(door, context)] : [];
    return evidence([`${what} is up${role === null ? "" : `, ${role}`}`, ...over]);
  },
};
