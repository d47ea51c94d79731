import type { ClusterView } from "#shared/domain/cluster-view.ts";
import type { PoolRow } from "#shared/domain/facts.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import { hasSyncName, parseSyncList, requiredStandbys } from "#shared/domain/sync-list.ts";
import { clusterCommits, commitsWait, satisfying, stateOf, streamsFrom, type Commits } from "./commits.ts"; // prettier-ignore
import type { GuardMemory, GuardView } from "./view.ts";

type DeclaredRow = {
  readonly node: ClusterView["nodes"][number];
  readonly row: PoolRow;
};

/** Rows of declared nodes in this host's pool; none where another host's pool leads. */
export function ledRows({ cluster, facts: { pool } }: GuardView): readonly DeclaredRow[] {
  if (cluster === null || pool === null || pool.status !== "running" || pool.isLeader === false) {
    return [];
  }
  return cluster.nodes.flatMap((node) => {
    const row = pool.rows.find(({ id }) => id === node.backendId);
    return row === undefined ? [] : [{ node, row }];
  });
}

export function isDown({ row }: DeclaredRow): boolean {
  return row.status === "down" || row.status === "unused";
}

/** What speaks against an attach; null where nothing does. */
export function whyNotAttach(
  view: GuardView,
  memory: Pick<GuardMemory, "synchronous">,
  { node, row }: DeclaredRow,
): string | null {
  if (row.hostname !== node.address || row.port !== node.port) {
    return `row ${row.id} is ${row.hostname}:${row.port}, and ${node.name} is declared at ${node.address}:${node.port}`;
  }
  const primary = clusterCommits(view);
  if (primary === null) return "not one primary is seen, or more than one";
  return (
    whyNotFollowing(view, primary, node) ??
    whyBehind(primary, node.name, view.policy.attachWithinBytes) ??
    whyUnsafe(primary, memory, node.name)
  );
}

/** It is a standby of this very primary, in its own words and in the primary's. */
export function whyNotFollowing(
  { node: own, facts: { database }, peers }: Pick<GuardView, "node" | "facts" | "peers">,
  primary: Commits,
  node: ClusterView["nodes"][number],
): string | null {
  if (node.name === primary.node) return `${node.name} is the primary`;
  if (!streamsFrom(primary, node.name)) {
    return `${node.name} is ${stateOf(primary, node.name) ?? "no standby"} of ${primary.node}`;
  }
  const upstream = database.receiver?.status === "streaming" ? database.receiver.conninfo : null;
  const here = node.name === own ? { ...database, database: database.role, upstream } : undefined;
  const seen = peers.find(({ node: name }) => name === node.name) ?? here;
  if (seen === undefined) return `${node.name} was not looked at yet`;
  if (seen.database !== "standby")
    return `${node.name} is ${seen.database ?? "not known"}, no standby`;
  if (seen.systemIdentifier !== primary.systemIdentifier) {
    return `${node.name} has system identifier ${seen.systemIdentifier}, and ${primary.node} ${primary.systemIdentifier}`;
  }
  // Another one may stream under its name.
  if (seen.upstream === null) return `${node.name} says that it streams from nobody`;
  return seen.timeline === primary.timeline
    ? null
    : `${node.name} is on timeline ${seen.timeline}, and ${primary.node} on ${primary.timeline}`;
}

export function whyBehind(primary: Commits, name: string, withinBytes: number): string | null {
  const lag = lsnDistance(flushedBy(primary, name), primary.position);
  if (lag !== null && lag <= withinBytes) return null;
  return `it lacks ${lag ?? "an unknown number of"} bytes; attached from ${withinBytes} on (guard.attachWithinBytes)`;
}

/** Whoever is attached may be promoted: it must lack nothing that was acknowledged without a standby. */
function whyUnsafe(
  primary: Commits,
  { synchronous }: Pick<GuardMemory, "synchronous">,
  name: string,
): string | null {
  if (synchronous === null || synchronous.node !== primary.node) return null;
  const { names, isSuspended, position } = synchronous;
  // Where each that streams has to acknowledge, none of them falls behind.
  const asksFor = requiredStandbys(primary.names) ?? 0;
  const asksForAll = asksFor > 0 && satisfying(primary, names) <= asksFor;
  if (isSuspended && !asksForAll)
    return `${primary.node} is to be synchronous again first (${names})`;
  if (!hasSyncName(parseSyncList(names), name)) return null;
  const missing = lsnDistance(flushedBy(primary, name), position);
  return missing !== null && missing <= 0 ? null : `it lacks what was acknowledged without it, up to ${position ?? "?"}`; // prettier-ignore
}

/** Why a row that is up has to leave the pool; null where it may stay. Never the primary's. */
export function whyDetach(
  view: GuardView,
  memory: Pick<GuardMemory, "synchronous">,
  { node, row }: DeclaredRow,
): string | null {
  if (row.hostname !== node.address || row.port !== node.port) return null;
  if (isDown({ node, row }) || isPrimaryRow(row.role)) return null;
  const primaries = primariesSeen(view);
  const [newest] = primaries;
  if (newest === undefined || newest.name === node.name) return null;
  const second = primaries.find(({ name }) => name === node.name);
  if (second !== undefined) {
    return second.timeline < newest.timeline
      ? `${node.name} still runs as a primary on timeline ${second.timeline}, and ${newest.name} on ${newest.timeline}`
      : null;
  }
  const primary = clusterCommits(view);
  if (primary === null || stateOf(primary, node.name) !== null) return null;
  const { synchronous } = memory;
  const isSuspended = synchronous?.node === primary.node && synchronous.isSuspended;
  if (!isSuspended && !commitsWait(primary)) return null;
  return `${node.name} does not stream from ${primary.node}, whose commits ${isSuspended ? "go on" : "wait"} without it`;
}

/** `master` before pgpool 4.2. */
export function isPrimaryRow(role: string | null): boolean {
  return /^(primary|master)$/i.test(role ?? "");
}

/** Newest timeline first. */
export function primariesSeen({ node, facts: { database }, peers }: GuardView) {
  const isPrimary = database.status === "running" && database.role === "primary";
  const own = isPrimary ? [{ name: node, timeline: database.timeline ?? 0 }] : [];
  const others = peers
    .filter((peer) => peer.database === "primary")
    .map(({ node: name, timeline }) => ({ name, timeline: timeline ?? 0 }));
  return [...own, ...others].toSorted((a, b) => b.timeline - a.timeline);
}

function flushedBy({ streaming }: Commits, name: string): string | null {
  const row = streaming.find((one) => one.applicationName === name && one.state === "streaming");
  return row?.flushLsn ?? null;
}
