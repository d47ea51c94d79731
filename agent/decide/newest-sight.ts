import type { PeerSight } from "#shared/domain/cluster-view.ts";

/**
 * Of two that are not too old: whoever knows what the database is says more than who can't reach it, and of two who know
 * the newer one counts.
 */
export function newestSight(a: PeerSight | null, b: PeerSight | null): PeerSight | null {
  if (a === null || b === null) return a ?? b;
  if (isKnown(a) !== isKnown(b)) return isKnown(a) ? a : b;
  return a.at >= b.at ? a : b;
}

function isKnown({ database }: PeerSight): boolean {
  return database !== "silent" && database !== "login-failed";
}
