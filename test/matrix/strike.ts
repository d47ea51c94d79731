/** The lanes of the matrix: PostgreSQL 15 with pgpool, and the emulated KingbaseES with its kingbasecluster. */
export type Product = "postgresql" | "kingbase-v8r3";

/** What stands for the coordinator where others are named by their node. */
export const coordinatorName = "coordinator";

/**
 * resume    - killed, started again: the operation must end as if nothing had happened
 * abort     - killed, started again, aborted: nothing may be left
 * undo      - killed in the rollback of an operation that was aborted in its last step
 * preflight - an agent killed before there is an operation: nothing may have been touched
 * power-off - the whole host is gone at this instant; it boots, and somebody starts what lies in its data directory: it
 *             must not open as a primary, and the operation goes on (power-off) or is aborted (power-off-abort)
 */
export type Mode = "resume" | "abort" | "undo" | "preflight" | "power-off" | "power-off-abort";

/** One run: which process dies, where, and what follows. */
export type Strike = {
  readonly process: string;
  readonly point: string;
  /** The how manieth time that the point is reached since the process was started. */
  readonly occurrence: number;
  readonly mode: Mode;
};

/** Such as `srv159 step:placed/run:place-data-directory@1 abort`: what --only matches. */
export function strikeName({ process, point, occurrence, mode }: Strike): string {
  return `${process} ${point}@${occurrence} ${mode}`;
}

/** By process: the points in the order in which it reached them, a line each time. */
export type PointLists = Readonly<Record<string, readonly string[]>>;

export type Recording = {
  readonly run: PointLists;
  /** From the abort on. */
  readonly undo: PointLists;
  /** Kinds of commands that agents are sent before there is an operation. */
  readonly preflightKinds: readonly string[];
};
