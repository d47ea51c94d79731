import type { NodeFacts } from "#shared/domain/facts.ts";
import type { ClusterView, PeerSight, PoolSight } from "#shared/domain/cluster-view.ts";
import type { CheckFacts } from "#shared/domain/facts.ts";
import type { GuardPolicy } from "./policy.ts";
import { upstreamIn } from "./still-primary.ts";
import type { SlotLimits } from "./slot-limits.ts";
import { synchronousSince, type SynchronousSince } from "./synchronous-since.ts";

/** What a rule may look at: facts, and signs that are no facts of the wire. */
export type GuardView = {
  readonly facts: Omit<NodeFacts, "guard">;
  /** The name of this node. */
  readonly node: string;
  /** A pid file names a process that is gone. */
  readonly hasStalePid: boolean;
  /** A pool's pid file names a process that is gone, or its pool answers no more though its process is gone. */
  readonly hasDeadPool: boolean;
  /** Since when nothing came from the upstream of this standby; null where no receiver runs. */
  readonly messageAgeMs: number | null;
  readonly limits: SlotLimits;
  readonly policy: GuardPolicy;
  /** null until a coordinator has told it once; from then on kept on disk. */
  readonly cluster: ClusterView | null;
  /** The others, the newest sight of each; what is too old to rest a step on is left out. */
  readonly peers: readonly PeerSight[];
  /** What the others' own agents say, by way of the coordinator; in `peers` a later look of this host takes its place. */
  readonly reported: readonly PeerSight[];
  /** Every declared pool, this host's too; as `peers`. */
  readonly pools: readonly PoolSight[];
  readonly checks: readonly CheckFacts[];
  /** When the pool here has lost its primary and nobody answered it, and where that ran. */
  readonly unanswered: { readonly at: number; readonly lost: string } | null;
  readonly marks: GuardMarks;
  readonly coordinatorConnected: boolean;
  /** It runs on no host of a declared node: one host has one vote. */
  readonly coordinatorIsVoter: boolean;
  /** Since a majority of the voters was reached last, over restarts of the agent. */
  readonly withoutMajorityMs: number;
  /** Does one of the trust addresses answer? null while nobody has a reason to ask. */
  readonly trustAnswers: boolean | null;
  /** Of a clock that nobody sets. */
  readonly elapsedMs: number;
  /** A cron line of the vendor's that is active here, or a script of its that runs: two must not act at the same time. */
  readonly vendorAtWork: string | null;
  /** The guard is in charge of this host, or will be at the end of a maintenance. */
  readonly isToAct: boolean;
};

/** What the guard keeps of this host on disk, bound to it. */
export type GuardMarks = {
  /** The last time that this node was seen as a running primary, and its timeline then; it starts as a standby only. */
  readonly wasPrimary: { readonly at: number; readonly timeline: number } | null;
  /** The list that was in force before the guard made this primary asynchronous. */
  readonly synchronousBefore: string | null;
  /** Of a standby: WAL that it has stands in no history of the primary on this timeline; it can't follow that as it is. */
  readonly diverged: {
    readonly at: number;
    readonly timeline: number;
    readonly because: string;
  } | null;
  /** The guard stopped this standby to start it again, and has not yet. */
  readonly restartingSince: number | null;
  /** A rejoin has begun, and is not at its end: it goes on where it was cut off. */
  readonly rejoiningSince: number | null;
  /** A rejoin failed, or can't be tried. */
  readonly needsRebuild: { readonly at: number; readonly because: string } | null;
  /** The standby marker was written by us, at a boot or before a start: it was a primary until then. */
  readonly fencedAt: number | null;
  /** The boot of this host in which its database ran last. */
  readonly ranInBoot: string | null;
  /** A person said that this node still is the primary. */
  readonly confirmedAt: number | null;
  /** We made its transactions read-only by default, until it is open. */
  readonly shieldedAt: number | null;
  /** An operation stopped this node on purpose, with the server of that process: it stays so until somebody starts it. */
  readonly stopped: { readonly at: number; readonly pid: number | null } | null;
};

export const noMarks: GuardMarks = {
  wasPrimary: null,
  synchronousBefore: null,
  diverged: null,
  restartingSince: null,
  rejoiningSince: null,
  needsRebuild: null,
  fencedAt: null,
  ranInBoot: null,
  confirmedAt: null,
  shieldedAt: null,
  stopped: null,
};

/** What the guard remembers from look to look; lost with the process, so rules must do without at first. */
export type GuardMemory = {
  /** The last look at which the database gave a session; null before the first. */
  readonly ranAt: number | null;
  /** A standby has streamed from here. */
  readonly hadStandby: boolean;
  /** The pool of this host has run. */
  readonly hadPool: boolean;
  readonly archiver: { readonly failedCount: number; readonly grewAt: number | null } | null;
  /** The primary that this standby streamed from last. */
  readonly ledBy: string | null;
  /** Deaths in a row, each soon after a start; null once it lived for longer. */
  readonly deaths: {
    readonly count: number;
    readonly lastMs: number;
    readonly isDead: boolean;
  } | null;
  /** Whether commits wait for a standby, wherever the primary is; null where they never did. */
  readonly synchronous: SynchronousSince | null;
};

export const emptyMemory: GuardMemory = {
  ranAt: null,
  hadStandby: false,
  hadPool: false,
  archiver: null,
  ledBy: null,
  deaths: null,
  synchronous: null,
};

/** A base backup and its WAL stream are walsenders too; none of them is a standby. */
export function streamingStandbys({ facts }: Pick<GuardView, "facts">): readonly string[] {
  return facts.database.replication
    .filter((row) => row.state === "streaming" || row.state === "catchup")
    .map((row) => row.applicationName)
    .filter((name) => !/basebackup|receivewal|receivexlog/.test(name));
}

export function remember(memory: GuardMemory, view: GuardView, now: number): GuardMemory {
  const { database } = view.facts;
  const failedCount = database.archiver?.failedCount ?? null;
  const grew =
    memory.archiver !== null && failedCount !== null && failedCount > memory.archiver.failedCount;
  return {
    ranAt: database.status === "running" ? now : memory.ranAt,
    hadStandby:
      database.role === "primary" && (memory.hadStandby || streamingStandbys(view).length > 0),
    hadPool: memory.hadPool || view.facts.pool?.status === "running",
    archiver:
      failedCount === null
        ? memory.archiver
        : { failedCount, grewAt: grew ? now : (memory.archiver?.grewAt ?? null) },
    ledBy: ledBy(memory.ledBy, view),
    deaths: deathsOf(memory.deaths, view),
    synchronous: synchronousSince(memory.synchronous, view),
  };
}

function ledBy(before: GuardMemory["ledBy"], view: GuardView): GuardMemory["ledBy"] {
  const { receiver, role } = view.facts.database;
  const upstream = upstreamIn(receiver, view);
  const isLed = view.peers.some(({ node, database }) => node === upstream && database === "primary"); // prettier-ignore
  if (isLed) return upstream;
  return role === "primary" ? null : before;
}

/** One that lives for so long after a start did not die of it. */
const livesMs = 60_000;

function deathsOf(
  before: GuardMemory["deaths"],
  { facts: { database }, hasStalePid, elapsedMs }: GuardView,
): GuardMemory["deaths"] {
  const isDead = database.status === "stopped" && hasStalePid;
  if (isDead) {
    if (before?.isDead === true) return before;
    return { count: (before?.count ?? 0) + 1, lastMs: elapsedMs, isDead };
  }
  if (before === null) return null;
  const isWell = database.status === "running" && elapsedMs - before.lastMs > livesMs;
  return isWell ? null : { ...before, isDead };
}
