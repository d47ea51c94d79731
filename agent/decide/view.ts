import type { NodeFacts } from "#shared/domain/facts.ts";
import type { SlotLimits } from "./slot-limits.ts";

/** What a rule may look at: facts, and signs that are no facts of the wire. */
export type GuardView = {
  readonly facts: Omit<NodeFacts, "guard">;
  /** A pid file names a process that is gone. */
  readonly hasStalePid: boolean;
  readonly limits: SlotLimits;
  readonly restart: RestartPolicy;
};

/**
 * agent.yaml, `guard.restart`: which dead databases are started again. A dead primary may be failed over from by a pool:
 * with `all` it is started too, as a standby.
 */
export type RestartPolicy = "never" | "standbys" | "all";

/** What the guard remembers from look to look; lost with the process, so rules must do without at first. */
export type GuardMemory = {
  /** The last look at which the database gave a session; null before the first. */
  readonly ranAt: number | null;
  /** A standby has streamed from here. */
  readonly hadStandby: boolean;
  readonly archiver: { readonly failedCount: number; readonly grewAt: number | null } | null;
};

export const emptyMemory: GuardMemory = { ranAt: null, hadStandby: false, archiver: null };

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
    archiver:
      failedCount === null
        ? memory.archiver
        : { failedCount, grewAt: grew ? now : (memory.archiver?.grewAt ?? null) },
  };
}
