import { requiredStandbys } from "#shared/domain/sync-list.ts";
import { clusterCommits, declaredList, reducedFrom, satisfying, type Commits } from "./commits.ts";
import type { GuardView } from "./view.ts";

/** Of a primary whose commits wait for standbys, or did until a guard let them go on without. */
export type SynchronousSince = {
  readonly node: string;
  readonly names: string;
  /** What commits wait for now. */
  readonly inForce: string;
  /** Where its WAL was when that was first seen: whoever has that has all that was acknowledged without a standby. */
  readonly position: string | null;
  /** Fewer are asked for than in `names`, for now: what is acknowledged meanwhile a standby may lack. */
  readonly isSuspended: boolean;
};

export function synchronousSince(
  before: SynchronousSince | null,
  view: GuardView,
): SynchronousSince | null {
  const primary = clusterCommits(view);
  if (primary === null) return before;
  const { node, names: inForce } = primary;
  const known = before?.node === node ? before : null;
  const isAsynchronous = requiredStandbys(inForce) === 0;
  const declared = isAsynchronous ? (declaredList(view)?.names ?? null) : null;
  if (declared === "") return null;
  const marked = node === view.node ? reducedFrom(view.marks.synchronousBefore, inForce) : null;
  const suspended = reducedByGuard(known, primary) ?? marked ?? declared;
  if (suspended === null && isAsynchronous) return null;
  const position = known?.inForce === inForce ? known.position : primary.position;
  const isSuspended = suspended !== null;
  return { node, names: suspended ?? inForce, inForce, position, isSuspended };
}

/** After a restart: whoever made it ask for fewer meanwhile, what was acknowledged since then is not known. */
export function recalled(
  kept: Pick<SynchronousSince, "node" | "names"> | null,
): SynchronousSince | null {
  return kept === null ? null : { ...kept, inForce: "", position: null, isSuspended: true };
}

/** A person asks for fewer while more stream, the guard never does. */
function reducedByGuard(known: SynchronousSince | null, primary: Commits): string | null {
  if (known === null || reducedFrom(known.names, primary.names) === null) return null;
  const isGuards =
    known.isSuspended || satisfying(primary, known.names) <= (requiredStandbys(primary.names) ?? 0);
  return isGuards ? known.names : null;
}
