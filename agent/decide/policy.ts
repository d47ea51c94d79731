/** agent.yaml, `guard`: how far the guard of this host goes when it is in charge. */
export type GuardPolicy = {
  readonly restart: RestartPolicy;
  readonly rejoin: RejoinPolicy;
  /** Of WAL that a rewind would throw away: what is kept of it on this host, at most. */
  readonly divergedWalBytes: number;
  /** A standby is attached to the pool from this lag on downwards, in bytes (the product's DATA_SIZE_DIFF is 16 MB). */
  readonly attachWithinBytes: number;
  /** Stop a database whose disk can be written no more, while a standby can take over (the product's USE_CHECK_DISK). */
  readonly stopOnDiskFailure: boolean;
  readonly selfFence: {
    /** A primary that reaches no majority and no trust address stops itself. */
    readonly armed: boolean;
    /** For how long it must have reached none. */
    readonly afterMs: number;
  };
  /** Of one rule's steps: no more than this in this time, however often its finding comes back. */
  readonly actions: { readonly most: number; readonly withinMs: number };
};

/**
 * Which dead databases are started again. A dead primary may be failed over from by a pool: with `all` it is started too,
 * as a standby.
 */
export type RestartPolicy = "never" | "standbys" | "all";

/**
 * Which nodes whose WAL went another way than the new primary's are rewound. `all`: a former primary too (the product's
 * AUTO_PRIMARY_RECOVERY).
 */
export type RejoinPolicy = "never" | "standbys" | "all";

export const defaultPolicy: GuardPolicy = {
  restart: "standbys",
  rejoin: "standbys",
  divergedWalBytes: 2 * 1024 * 1024 * 1024,
  attachWithinBytes: 16 * 1024 * 1024,
  stopOnDiskFailure: false,
  selfFence: { armed: false, afterMs: 30_000 },
  actions: { most: 5, withinMs: 600_000 },
};
