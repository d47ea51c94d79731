import type { PeerSight } from "#shared/domain/cluster-view.ts";
import { parseConninfo } from "#shared/config-files/conninfo.ts";
import { configuredUpstream } from "./configured-upstream.ts";
import { upstreamIn } from "./still-primary.ts";
import type { GuardView } from "./view.ts";

/** Other running primaries of this cluster, the latest timeline first. */
export function primaries({ facts: { database }, peers }: GuardView): readonly PeerSight[] {
  return peers
    .filter((peer) => peer.database === "primary" && isOurs(peer, database))
    .toSorted((a, b) => (b.timeline ?? 0) - (a.timeline ?? 0));
}

/** null where none is seen, or two are. */
export function onlyPrimary(view: GuardView): PeerSight | null {
  const [first = null, ...others] = primaries(view);
  return others.length === 0 ? first : null;
}

/** A primary on a later timeline than this node's: it was promoted since. */
export function successor(view: GuardView): PeerSight | null {
  const other = onlyPrimary(view);
  const own = Math.max(view.facts.database.timeline ?? 0, view.marks.wasPrimary?.timeline ?? 0);
  return other !== null && own > 0 && (other.timeline ?? 0) > own ? other : null;
}

/** As a step names it; null where it is not declared. */
export function placeOf(
  { cluster }: GuardView,
  { node }: PeerSight,
): { readonly node: string; readonly host: string; readonly port: number } | null {
  const found = cluster?.nodes.find(({ name }) => name === node);
  return found === undefined ? null : { node, host: found.address, port: found.port };
}

/** Whom this standby is told to follow, by its files; null where that is no declared node. */
export function followedNode({ cluster, facts: { database, files } }: GuardView): string | null {
  const upstream = configuredUpstream(database, files);
  if (upstream === null) return null;
  const { host, port } = upstream;
  const found = cluster?.nodes.find(
    (node) => (node.address === host || node.name === host) && node.port === port,
  );
  return found?.name ?? null;
}

/** A busy stream brings messages all the time, and one on which nothing is written every 30 s: by itself it tells nothing. */
export const quietAfterMs = 5_000;

/**
 * A receiver counts as streaming until wal_receiver_timeout (60 s), though its upstream's host has lost its power. Names
 * the node that neither sends to it nor answers this host; null while it may live.
 */
export function silentUpstream(view: GuardView): string | null {
  const { facts, messageAgeMs, peers } = view;
  const upstream = upstreamIn(facts.database.receiver, view);
  const isSilent = peers.some(({ node, database }) => node === upstream && database === "silent");
  return isSilent && messageAgeMs !== null && messageAgeMs >= quietAfterMs ? upstream : null;
}

/** The name under which it streams; null while it streams from nobody. */
export function streamingName({ facts: { database } }: GuardView): string | null {
  if (database.receiver?.status !== "streaming") return null;
  const { values } = parseConninfo(database.receiver.conninfo);
  return values.get("application_name") ?? values.get("fallback_application_name") ?? null;
}

function isOurs(peer: PeerSight, database: GuardView["facts"]["database"]): boolean {
  return peer.systemIdentifier !== null && peer.systemIdentifier === database.systemIdentifier;
}
