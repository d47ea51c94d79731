import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { poolControl } from "./pool-door.ts";
import { notLoaded, placeOf, rowInPool } from "./pool-rows.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

export const detachBackend: ChangeStep<"detach-backend"> = {
  check: async ({ row }, context) => {
    await using control = await poolControl(context);
    const found = await rowInPool(control.pcp, row);
    if (found === null) throw notLoaded(row);
    return found.status === "down"
      ? evidence([`backend ${row.id} ${placeOf(row)} is down`], { alreadyDone: true })
      : null;
  },
  apply: async ({ row }, context) => {
    await using control = await poolControl(context);
    if (!control.acts) return;
    // A pool that loses its primary fails over.
    if ((await rowInPool(control.pcp, row))?.role === "primary") {
      throw new Failure("REFUSED", `the pool has ${placeOf(row)} as its primary`);
    }
    await noteOwn(context, ledgerKey.detached(row.id), {});
    await control.pcp.detach(row.id);
    crashPoint("step:detached-to-restart");
  },
  verify: async ({ row, stallMs }, context) => {
    await using control = await poolControl(context);
    const what = `backend ${row.id} ${placeOf(row)} to be down`;
    await watchProgress(context, { stallMs, everyMs: 20, what }, async () => {
      const status = (await rowInPool(control.pcp, row))?.status ?? "missing";
      return status === "down"
        ? { state: "done", value: null }
        : { state: "waiting", token: status, missing: `this pool shows it ${status}` };
    });
    return evidence([`backend ${row.id} ${placeOf(row)} is down`]);
  },
  undo: async ({ row }, context) => {
    const key = ledgerKey.detached(row.id);
    if ((await ownFacts(context, key, z.object({}))) === null)
      return evidence(["not detached by this operation"], { alreadyDone: true });
    await using control = await poolControl(context);
    const found = await rowInPool(control.pcp, row);
    if (found?.status === "down") await control.pcp.attach(row.id);
    crashPoint("step:attached-again");
    await context.ledger.delete(key);
    return evidence([`backend ${row.id} is attached again`]);
  },
};
