import { requiredStandbys } from "#shared/domain/sync-list.ts";
import { clusterCommits, declaredList, reducedFrom, satisfying } from "./commits.ts";
import type { GuardView } from "./view.ts";

/** Of a primary whose commits wait for standbys, or did until a guard made it asynchronous. */
export type SynchronousSince = {
  readonly node: string;
  readonly names: string;
  /** Where its WAL was when this was first seen: whoever has that has all that was acknowledged without a standby. */
  readonly position: string | null;
  /** It is asynchronous for now: what is acknowledged meanwhile a standby may lack. */
  readonly isSuspended: boolean;
};

export function synchronousSince(
  before: SynchronousSince | null,
  view: GuardView,
): SynchronousSince | null {
  const primary = clusterCommits(view);
  if (primary === null) return before;
  const { node, names, position } = primary;
  const known = before?.node === node ? before : null;
  if (requiredStandbys(names) !== 0) {
    const isStill = known !== null && !known.isSuspended;
    return { node, names, position: isStill ? known.position : position, isSuspended: false };
  }
  const declared = declaredList(view)?.names ?? null;
  if (declared === "") return null;
  const suspended = { node, position: null, isSuspended: true };
  // A person makes it asynchronous while a standby streams, the guard never does.
  if (known !== null && (known.isSuspended || satisfying(primary, known.names) === 0)) {
    return { ...suspended, names: known.names };
  }
  const marked = node === view.node ? reducedFrom(view.marks.synchronousBefore, names) : null;
  const wanted = marked ?? declared;
  return wanted === null ? null : { ...suspended, names: wanted };
}
