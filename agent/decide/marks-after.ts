import { isFenceOver } from "./still-primary.ts";
import type { GuardMarks, GuardView } from "./view.ts";

/** What a look has to leave behind; null where it is there already. */
export function marksAfter(view: GuardView): Partial<GuardMarks> | null {
  const { database, host } = view.facts;
  const { fencedAt, ranInBoot } = view.marks;
  const started = isStartedAgain(view) ? { stopped: null } : null;
  if (database.status !== "running") return started;
  const isFreed = fencedAt !== null && isFenceOver(view);
  if (!isFreed && started === null && ranInBoot === host.bootId) return null;
  return {
    ...started,
    ranInBoot: host.bootId,
    ...(isFreed ? { fencedAt: null, confirmedAt: null } : {}),
  };
}

/**
 * A stop on purpose is over when another server runs here than the one that was stopped, or when this host itself has seen
 * a primary since: the cluster runs again, and whoever was off then belongs to it.
 */
function isStartedAgain({ facts: { database, host }, marks, peers }: GuardView): boolean {
  const { ranInBoot, stopped } = marks;
  if (stopped === null) return false;
  if (database.status === "running") {
    return ranInBoot !== host.bootId || database.postmasterPid !== stopped.pid;
  }
  return peers.some(({ at, database: seen, from }) => seen === "primary" && from === "own-look" && at > stopped.at); // prettier-ignore
}
