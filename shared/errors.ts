/**
 * Every failure a person can meet: what it is called and how the command line exits.
 * Codes are stable: they stand in the journal, in `--json` output and in docs/errors.md.
 */
export const failures = {
  /** A command line, a file or a setting is wrong. */
  USAGE: { exitCode: 2 },
  CONFIG_INVALID: { exitCode: 2 },
  /** Preflight or forecast says no; nothing was touched. */
  PREFLIGHT_FAILED: { exitCode: 3 },
  FORECAST_REFUSED: { exitCode: 3 },
  /** The operation paused, was rolled back, or needs a hand. */
  OPERATION_PAUSED: { exitCode: 4 },
  OPERATION_ROLLED_BACK: { exitCode: 5 },
  OPERATION_NEEDS_ATTENTION: { exitCode: 5 },
  /** Something that should answer does not. */
  COORDINATOR_UNREACHABLE: { exitCode: 6 },
  NODE_UNREACHABLE: { exitCode: 6 },
  DATABASE_UNREACHABLE: { exitCode: 6 },
  POOL_UNREACHABLE: { exitCode: 6 },
  SINK_UNREACHABLE: { exitCode: 6 },
  /** Someone else holds it, or it is there already. */
  OPERATION_CONFLICT: { exitCode: 7 },
  ALREADY_EXISTS: { exitCode: 7 },
  /** Another node was told to lead, or a rewind has begun: the operation only goes on. */
  PAST_RETURN: { exitCode: 7 },
  /** A sink answered, and did not take the alert. */
  SINK_REFUSED: { exitCode: 19 },
  /** The plan made now is not the one that was shown; nothing was touched. */
  PLAN_CHANGED: { exitCode: 18 },
  /** No such cluster, node, operation, alert. */
  NOT_FOUND: { exitCode: 8 },
  /** Wrong token, secret, password, fingerprint or user. */
  AUTHENTICATION_FAILED: { exitCode: 9 },
  /** The agent's own allow-list, an old epoch, an expired command or a failed precondition. */
  REFUSED: { exitCode: 10 },
  /** Versions that don't fit: protocol, program, journal, server and client. */
  VERSION_MISMATCH: { exitCode: 11 },
  /** The journal can't be read or written. */
  STORE_UNUSABLE: { exitCode: 12 },
  /** A needed OS resource is missing: disk, inodes, port, program. */
  RESOURCE_MISSING: { exitCode: 13 },
  /** A program that we ran ended badly. */
  PROGRAM_FAILED: { exitCode: 14 },
  /** No progress for longer than the stall limit. */
  STALLED: { exitCode: 15 },
  /** The agent or coordinator was restarted while it worked; ask again. */
  INTERRUPTED: { exitCode: 16 },
  /** Something read back is not what was written. */
  VERIFICATION_FAILED: { exitCode: 17 },
  /** A defect in Castellan itself. */
  INTERNAL: { exitCode: 70 },
} as const satisfies Record<string, { exitCode: number }>;

export type FailureCode = keyof typeof failures;

export type FailureDetails = {
  /** The next thing to do or to type. */
  readonly hint?: string;
  /** What was seen, e.g. the last lines of stderr. Never a secret. */
  readonly evidence?: readonly string[];
  /** May the same thing succeed when it is simply tried again? */
  readonly retryable?: boolean;
  readonly cause?: unknown;
};

/** The one error class: what was found, where, what would be right (message), what to do (hint). */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: FailureCode;
  readonly hint: string | undefined;
  readonly evidence: readonly string[];
  readonly retryable: boolean;

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.evidence = details.evidence ?? [];
    this.retryable = details.retryable ?? false;
  }
}

/** Any thrown value as a Failure; what is not one already is a defect (`INTERNAL`). */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure("INTERNAL", message, { cause: error });
}
