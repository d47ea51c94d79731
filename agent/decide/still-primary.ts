import { conninfoHost } from "#shared/config-files/conninfo.ts";
import type { PeerSight, PoolSight } from "#shared/domain/cluster-view.ts";
import { greaterLsn, lsnDistance } from "#shared/domain/lsn.ts";
import type { GuardView } from "./view.ts";

type Cluster = NonNullable<GuardView["cluster"]>;

/** What is asked for a node that was a primary, and starts as a standby until somebody says that it still is. */
export type StillPrimaryInput = Pick<GuardView, "cluster" | "node" | "peers" | "pools"> & {
  readonly own: {
    readonly systemIdentifier: string | null;
    readonly timeline: number | null;
    /** null: it takes writes already, which the others have a moment later. */
    readonly position: string | null;
    /** The end of the last whole record. */
    readonly replayed: string | null;
  };
};

export type StillPrimary = {
  /** Another one took its place: nobody may open it. */
  readonly against: readonly string[];
  /** What is not known, or looks otherwise: only a person may say that it still is the primary. */
  readonly doubts: readonly string[];
};

/**
 * A majority alone proves nothing of the past: the one node that nobody sees may be the one that was promoted meanwhile.
 * So every other data node has to be seen, and every pool asked, as pools are what promotes
 * (docs/adr/0008-a-fenced-primary-is-released-by-all.md).
 */
export function stillPrimary(input: StillPrimaryInput): StillPrimary {
  const { cluster, node } = input;
  if (cluster === null) {
    return { against: [], doubts: ["this host has not been told of its cluster yet"] };
  }
  const against: string[] = [];
  const doubts: string[] = [];
  for (const { name } of cluster.nodes) {
    if (name === node) continue;
    const seen = input.peers.find((peer) => peer.node === name);
    const newer = seen === undefined ? null : newerThanOwn(seen, input);
    if (newer !== null) against.push(newer);
    else doubts.push(...doubtsOfPeer(name, seen, input));
  }
  for (const { name, pool } of cluster.nodes) {
    if (pool === null) continue;
    const sight = input.pools.find((one) => one.node === name);
    doubts.push(...doubtsOfPool(name, sight, input, cluster));
  }
  return { against, doubts };
}

function newerThanOwn(seen: PeerSight, { own }: StillPrimaryInput): string | null {
  if (seen.database === "primary") return `${seen.node} is a primary`;
  const isNewer = seen.timeline !== null && seen.timeline > (own.timeline ?? 0);
  return isNewer ? `${seen.node} is on timeline ${seen.timeline}, this node on ${own.timeline}` : null; // prettier-ignore
}

function doubtsOfPeer(
  name: string,
  seen: PeerSight | undefined,
  { own }: StillPrimaryInput,
): readonly string[] {
  if (seen === undefined || seen.database === "silent") return [`${name} is not seen`];
  if (seen.database !== "standby") return [`the database of ${name}: ${seen.database}`];
  if (seen.systemIdentifier !== null && seen.systemIdentifier !== own.systemIdentifier) {
    return [`${name} is of another cluster`];
  }
  if (seen.timeline === null) return [`the timeline of ${name} is not known`];
  if (own.position === null) return [];
  // A server flushes and sends up to the end of a page: a standby may have got a part of the record that came next, which
  // this node has as well, and nobody will ever replay.
  if (own.replayed !== null && seen.replayed === own.replayed) return [];
  const ahead = lsnDistance(own.position, seen.position);
  if (ahead === null) return [`how far ${name} has got is not known`];
  return ahead > 0 ? [`${name} has ${ahead} bytes of WAL more than this node`] : [];
}

function doubtsOfPool(
  name: string,
  seen: PoolSight | undefined,
  { node }: StillPrimaryInput,
  { nodes }: Cluster,
): readonly string[] {
  if (seen?.status !== "answers") return [`the pool on ${name} does not answer`];
  const own = nodes.find((one) => one.name === node);
  const row = seen.rows.find(
    ({ hostname, port }) =>
      port === own?.port && (hostname === own.address || hostname === own.name),
  );
  if (row === undefined) return [`the pool on ${name} has no row of this node`];
  if (!isUp(row.status)) return [`the pool on ${name} has this node as ${row.status}`];
  const primaries = seen.rows.filter(({ role, status }) => role === "primary" && isUp(status));
  // One that was started while this node waits finds no primary, and has not failed over from a row that is up.
  const others = primaries.filter((one) => one !== row).map(({ hostname }) => hostname);
  return others.length === 0 ? [] : [`the pool on ${name} names ${others.join(", ")} as the primary`]; // prettier-ignore
}

/** pgpool's docs, SHOW POOL_NODES: `waiting` is up with no session yet. */
export function isUp(status: string): boolean {
  return status === "up" || status === "waiting";
}

/** Of the server of this host, as it was last seen. */
export function ownPlace({
  facts: { database },
}: Pick<GuardView, "facts">): StillPrimaryInput["own"] {
  const { systemIdentifier, timeline, position, receivedPosition, role } = database;
  const reached = role === "primary" ? null : (greaterLsn(position, receivedPosition) ?? "0/0");
  const replayed = role === "primary" ? null : position;
  return { systemIdentifier, timeline, position: reached, replayed };
}

/**
 * A fence that means nothing any more: it has followed another primary since, or somebody opened it. Left in place, it
 * would open this node one day because it was the primary once.
 */
export function isFenceOver(view: GuardView): boolean {
  const { database } = view.facts;
  const { wasPrimary, shieldedAt } = view.marks;
  if (database.status !== "running") return false;
  // A person has promoted it, or it has followed somebody who was.
  if ((database.timeline ?? 0) > (wasPrimary?.timeline ?? Number.POSITIVE_INFINITY)) return true;
  if (database.role === "primary") return shieldedAt === null;
  const upstream = upstreamIn(database.receiver, view);
  return view.peers.some(({ node, database: seen }) => node === upstream && seen === "primary");
}

/**
 * Does it stream from someone who may be the primary now? A former primary that was told of an upstream in a life before
 * may stream from a standby, which streams from this node: nothing comes of that.
 */
export function mayFollowPrimary(
  receiver: { readonly status: string; readonly conninfo: string } | null,
  { cluster, peers }: Pick<GuardView, "cluster" | "peers">,
): boolean {
  if (receiver?.status !== "streaming") return false;
  const upstream = upstreamIn(receiver, { cluster });
  return !peers.some(({ node, database }) => node === upstream && database === "standby");
}

/** The declared node that it streams from. */
export function upstreamIn(
  receiver: { readonly status: string; readonly conninfo: string } | null,
  { cluster }: Pick<GuardView, "cluster">,
): string | null {
  if (receiver?.status !== "streaming") return null;
  const host = conninfoHost(receiver.conninfo);
  return cluster?.nodes.find(({ address, name }) => address === host || name === host)?.name ?? null; // prettier-ignore
}
