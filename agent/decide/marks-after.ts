import { isFenceOver } from "./still-primary.ts";
import type { GuardMarks, GuardView } from "./view.ts";

/** What a look at a database that runs has to leave behind; null where it is there already. */
export function marksAfter(view: GuardView): Partial<GuardMarks> | null {
  const { database, host } = view.facts;
  const { fencedAt, ranInBoot, stopped } = view.marks;
  if (database.status !== "running") return null;
  const isFreed = fencedAt !== null && isFenceOver(view);
  const isNewBoot = ranInBoot !== host.bootId;
  // The one that is about to be stopped may be seen once more.
  const isStarted = stopped !== null && (isNewBoot || database.postmasterPid !== stopped.pid);
  if (!isFreed && !isNewBoot && !isStarted) return null;
  return {
    ranInBoot: host.bootId,
    ...(isFreed ? { fencedAt: null, confirmedAt: null } : {}),
    ...(isStarted ? { stopped: null } : {}),
  };
}
