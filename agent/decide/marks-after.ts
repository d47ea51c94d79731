import { isFenceOver } from "./still-primary.ts";
import type { GuardMarks, GuardView } from "./view.ts";

/** What a look at a database that runs has to leave behind; null where it is there already. */
export function marksAfter(view: GuardView): Partial<GuardMarks> | null {
  const { database, host } = view.facts;
  if (database.status !== "running") return null;
  const isFreed = view.marks.fencedAt !== null && isFenceOver(view);
  if (!isFreed && view.marks.ranInBoot === host.bootId) return null;
  return { ranInBoot: host.bootId, ...(isFreed ? { fencedAt: null, confirmedAt: null } : {}) };
}
