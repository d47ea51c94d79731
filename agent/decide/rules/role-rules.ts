import type { PeerSight, PoolSight } from "#shared/domain/cluster-view.ts";
import type { GuardStep } from "#shared/domain/guard.ts";
import { isUp, upstreamIn } from "../still-primary.ts";
import type { GuardMemory, GuardView } from "../view.ts";
import {
  followedNode,
  onlyPrimary,
  placeOf,
  primaries,
  silentUpstream,
  streamingName,
  successor,
} from "../whom-to-follow.ts";
import type { Rule } from "./rule.ts";

/** Who this node is in its cluster, and whom it follows. */
export const roleRules: readonly Rule[] = [
  {
    id: "old-primary-running",
    because: "another node was promoted while this one still runs as a primary",
    severity: "critical",
    looks: 3,
    class: "role",
    when: (view) => {
      const { database } = view.facts;
      if (database.status !== "running" || database.role !== "primary") return null;
      const newer = successor(view);
      return newer === null ? null : `${primaryText(newer)}; this one is on ${database.timeline}`;
    },
    // The virtual address goes by a row of its own, and its failure must not keep the server running.
    steps: () => [{ do: "stop-database", mode: "fast" }, { do: "write-standby-marker" }],
    witness: (view) => {
      const newer = successor(view);
      return newer === null || isDisputed(newer, view) ? null : anotherSight(newer, view);
    },
    next: "nothing is to be written here any more; what was is on no other node",
  },
  {
    id: "old-primary-stopped",
    because: "this node was a primary, and another one has taken its place",
    severity: "critical",
    looks: 3,
    class: "role",
    when: (view) => {
      const { database } = view.facts;
      if (database.status !== "stopped" || database.hasIncompleteMarker) return null;
      if (database.hasStandbyMarker && !wasPrimary(view)) return null;
      if (view.marks.rejoiningSince !== null) return null;
      const newer = successor(view);
      return newer === null || view.marks.needsRebuild !== null ? null : primaryText(newer);
    },
    steps: (view) => {
      const place = successorPlace(view);
      if (place === null) return [];
      if (view.policy.rejoin === "all") {
        return [{ do: "write-standby-marker" }, { do: "rejoin", ...place }];
      }
      return view.facts.database.hasStandbyMarker ? [] : [{ do: "write-standby-marker" }];
    },
    witness: (view) => {
      const newer = successor(view);
      return newer === null ? null : anotherSight(newer, view);
    },
    next: "with guard.rejoin: all in agent.yaml it is rewound and follows; else rewind it by hand, or copy it anew",
  },
  {
    id: "rejoin-interrupted",
    because: "a rejoin of this node was cut off before its end",
    severity: "warning",
    looks: 1,
    class: "role",
    when: (view) => {
      const { needsRebuild, rejoiningSince } = view.marks;
      const primary = onlyPrimary(view);
      return rejoiningSince === null || needsRebuild !== null || primary === null
        ? null
        : `${primaryText(primary)}; database ${view.facts.database.status}`;
    },
    steps: (view) => {
      const primary = onlyPrimary(view);
      const place = primary === null ? null : placeOf(view, primary);
      return place === null ? [] : [{ do: "rejoin", ...place }];
    },
    witness: (view) => {
      const primary = onlyPrimary(view);
      return primary === null ? null : `${primary.node} itself (${primary.from})`;
    },
    next: "castellan why says what it waits for; until its end nothing starts on a data directory that is half rewound",
  },
  {
    id: "standby-diverged",
    because: "this standby has WAL that the new primary has not, so it can't follow as it is",
    severity: "critical",
    looks: 2,
    class: "role",
    when: (view) => {
      const { database } = view.facts;
      const { diverged, needsRebuild, rejoiningSince } = view.marks;
      if (
        diverged === null ||
        rejoiningSince !== null ||
        needsRebuild !== null ||
        !isIdleStandby(view)
      )
        return null;
      const primary = onlyPrimary(view);
      if (primary === null || primary.timeline !== diverged.timeline) return null;
      return `${primaryText(primary)}: ${diverged.because}; database ${database.status}`;
    },
    steps: (view) => {
      const primary = onlyPrimary(view);
      const place = primary === null ? null : placeOf(view, primary);
      if (place === null) return [];
      if (view.policy.rejoin === "never") return [{ do: "offer-rebuild", because: view.marks.diverged?.because ?? "its WAL went another way" }]; // prettier-ignore
      return mayRewind(view) ? [...stopped(view), { do: "rejoin", ...place }] : [];
    },
    witness: (view) => {
      const primary = onlyPrimary(view);
      if (primary === null || isDisputed(primary, view)) return null;
      return `${primary.node} itself (${primary.from})`;
    },
    next: "guard.rejoin in agent.yaml says whether it is rewound; else it has to be made anew from the primary",
  },
  {
    id: "upstream-changed",
    because: "this standby follows a node that is no primary any more, and another one is",
    severity: "warning",
    // The step looks at everything again before it changes anything, and until it does nothing is read here.
    looks: 1,
    class: "role",
    when: (view, memory) => {
      const change = changedUpstream(view, memory);
      return change === null ? null : `${primaryText(change.to)}; followed is ${change.from}`;
    },
    steps: (view, memory) => {
      const change = changedUpstream(view, memory);
      const place = change === null ? null : placeOf(view, change.to);
      return place === null ? [] : [{ do: "repoint", ...place }];
    },
    witness: (view, memory) => {
      const change = changedUpstream(view, memory);
      return change === null ? null : `${change.to.node} itself (${change.to.from}), and ${change.from}`; // prettier-ignore
    },
    nearly: (view) => {
      const silent = silentUpstream(view);
      if (view.cluster === null || (silent === null && !isIdleStandby(view))) return null;
      const primaries = view.peers.filter(({ database }) => database === "primary");
      if (primaries.length === 1) return null;
      return {
        evidence: silent === null ? "this standby receives nothing" : `nothing comes from ${silent} any more`, // prettier-ignore
        missing: primaries.length === 0 ? "a node that is seen as the primary" : "one primary instead of several", // prettier-ignore
      };
    },
    next: "castellan why says what kept it from following; it does so by itself where the guard is in charge",
  },
  {
    id: "restart-interrupted",
    because: "the guard stopped this standby to start it again, and was cut off in between",
    severity: "warning",
    looks: 1,
    class: "role",
    when: ({ facts: { database }, marks }) =>
      database.status === "stopped" &&
      database.hasStandbyMarker &&
      !database.hasIncompleteMarker &&
      marks.restartingSince !== null &&
      marks.rejoiningSince === null
        ? "it is stopped, and nobody else stopped it"
        : null,
    steps: ({ facts: { database } }) =>
      database.hasStandbyMarker ? [{ do: "start-database" }] : [],
    next: "start it, where the guard is not in charge any more",
  },
  {
    id: "standby-not-streaming",
    because: "this standby receives no WAL, so it falls behind and can't take over",
    severity: "warning",
    looks: 3,
    class: "role",
    when: ({ facts: { database } }) => {
      if (database.status !== "running" || database.role !== "standby") return null;
      const { receiver, upstreamProblem } = database;
      if (receiver?.status === "streaming") return null;
      const seen = receiver === null ? "no WAL receiver is running" : `the WAL receiver is ${receiver.status}`; // prettier-ignore
      return upstreamProblem === null ? seen : `${seen}; ${upstreamProblem}`;
    },
    next: "castellan status; where the WAL that it needs is gone, it has to be made anew from the primary",
  },
  {
    id: "upstream-name-wrong",
    because:
      "it streams under another name than this node's, by which sync list and checks know it",
    severity: "warning",
    looks: 3,
    class: "role",
    when: (view) => {
      const name = streamingName(view);
      return name === null || view.cluster === null || name === view.node
        ? null
        : `application_name is ${name}, the node is ${view.node}`;
    },
    next: "write application_name into primary_conninfo: nothing is stopped or rewound for it",
  },
  {
    id: "needs-rebuild",
    because: "this node can't be brought back by a rewind",
    severity: "critical",
    looks: 1,
    class: "role",
    when: ({ marks: { needsRebuild } }) => needsRebuild?.because ?? null,
    next: "it is copied anew, in place: castellan node rebuild",
  },
];

function successorPlace(view: GuardView) {
  const newer = successor(view);
  return newer === null ? null : placeOf(view, newer);
}

/** Whoever names it the primary besides the look at it. */
function anotherSight({ node, from }: PeerSight, view: GuardView): string | null {
  const address = view.cluster?.nodes.find(({ name }) => name === node)?.address;
  const follower = view.peers.find((peer) => peer.upstream !== null && peer.upstream === address);
  if (follower !== undefined) return `${follower.node} streams from ${node}`;
  const pool = namingPool(node, view);
  if (pool !== null) return `the pool on ${pool} names ${node} the primary`;
  const isTold = view.reported.some((peer) => peer.node === node && peer.database === "primary");
  return from === "coordinator" || isTold ? `${node}'s own agent says so` : null;
}

function namingPool(node: string, view: GuardView): string | null {
  return view.pools.find((pool) => namedBy(pool, view).includes(node))?.node ?? null;
}

/** Clients are sent to another node, and to this one by no pool: it may have been promoted by mistake. */
function isDisputed({ node }: PeerSight, view: GuardView): boolean {
  const named = view.pools.flatMap((pool) => namedBy(pool, view));
  return named.length > 0 && !named.includes(node);
}

function namedBy({ rows }: PoolSight, { cluster }: GuardView): readonly string[] {
  const primaries = rows.filter(({ role, status }) => role === "primary" && isUp(status));
  return (cluster?.nodes ?? [])
    .filter(({ name, address, port }) =>
      primaries.some((row) => [name, address].includes(row.hostname) && row.port === port),
    )
    .map(({ name }) => name);
}

/**
 * Nobody is followed while two primaries are seen, but for the one that this standby followed: its stream is lost, a
 * timeline later than its was begun, and no pool takes it for the primary. What its agent said last may be seconds old.
 */
function changedUpstream(
  view: GuardView,
  memory: GuardMemory,
): { readonly to: PeerSight; readonly from: string } | null {
  const { database } = view.facts;
  if (database.status !== "running") return null;
  const followed = followedNode(view);
  const [to, ...others] = primaries(view);
  if (to === undefined || followed === to.node) return null;
  if (!isIdleStandby(view) && !isLeftBehind(view, to) && !isAstray(view, memory)) return null;
  const isOutdated = (other: PeerSight): boolean =>
    other.node === followed &&
    (other.timeline ?? Number.POSITIVE_INFINITY) < (to.timeline ?? 0) &&
    namingPool(other.node, view) === null;
  if (!others.every(isOutdated) || (to.timeline ?? 0) < (database.timeline ?? 0)) return null;
  if (view.marks.needsRebuild !== null || view.marks.diverged?.timeline === to.timeline) {
    return null;
  }
  if (followed === null) return { to, from: "no declared node" };
  const sight = view.peers.find(({ node }) => node === followed);
  return sight === undefined ? null : { to, from: `${followed}, which is ${seenText(sight)}` };
}

function isIdleStandby({ facts: { database }, marks }: GuardView): boolean {
  if (database.hasIncompleteMarker || marks.rejoiningSince !== null) return false;
  if (database.status === "stopped") return database.hasStandbyMarker && marks.diverged !== null;
  const { role, receiver } = database;
  return database.status === "running" && role === "standby" && receiver?.status !== "streaming";
}

/** It counts as streaming, from a host that is silent, while another one went on from what that has sent. */
function isLeftBehind(view: GuardView, { timeline }: PeerSight): boolean {
  const { database } = view.facts;
  return (
    database.role === "standby" &&
    !database.hasIncompleteMarker &&
    view.marks.rejoiningSince === null &&
    silentUpstream(view) !== null &&
    (timeline ?? 0) > (database.timeline ?? 0)
  );
}

/**
 * Behind a standby, which no file says of it: whom it streams from was the primary until a moment ago; or it was itself,
 * died, and came up behind whom it had followed before.
 */
function isAstray(view: GuardView, { deaths, ledBy }: GuardMemory): boolean {
  const { facts, marks, peers } = view;
  const upstream = upstreamIn(facts.database.receiver, view);
  const isBehindStandby = peers.some(({ node, database }) => node === upstream && database === "standby"); // prettier-ignore
  if (!isBehindStandby || marks.rejoiningSince !== null) return false;
  return ledBy === upstream || (deaths !== null && marks.wasPrimary !== null);
}

/** It may have followed another one since, on a later timeline: then it is a standby like any other. */
function wasPrimary({ facts: { database }, marks }: GuardView): boolean {
  const { wasPrimary: before, fencedAt } = marks;
  return fencedAt !== null || (before !== null && before.timeline >= (database.timeline ?? 0));
}

/** A former primary that was started as a standby is one still. */
function mayRewind(view: GuardView): boolean {
  const { rejoin } = view.policy;
  return rejoin === "all" || (rejoin === "standbys" && !wasPrimary(view));
}

function stopped({ facts: { database } }: GuardView): readonly GuardStep[] {
  return database.status === "running" ? [{ do: "stop-database", mode: "fast" }] : [];
}

function primaryText({ node, timeline }: PeerSight): string {
  return `${node} is the primary on timeline ${timeline ?? "?"}`;
}

function seenText({ database }: PeerSight): string {
  const words = { standby: "a standby", primary: "a primary on an older timeline" } as const;
  return database === "standby" || database === "primary" ? words[database] : database;
}
