import type { FailureRecord } from "#shared/domain/operation.ts";
import { backoffMs } from "#shared/time.ts";

/** One failed attempt, with what went before it since the step was taken up. */
export type FailedAttempt = {
  readonly outcome: "failed" | "refused" | "interrupted" | "unseen";
  readonly failure: FailureRecord;
  /** An abort was asked for, or the coordinator is stopping. */
  readonly unwanted: boolean;
  /** This one included. */
  readonly failures: number;
  readonly interruptions: number;
};

export type RetryLimits = {
  readonly attempts: number;
  readonly interruptions: number;
  readonly retryFirstMs: number;
  readonly retryMostMs: number;
};

export type RetryRule = {
  readonly id: string;
  /** Read as "… because …" in `castellan why`. */
  readonly because: string;
  readonly when: (attempt: FailedAttempt, limits: RetryLimits) => boolean;
  readonly next: "give-up" | "again-at-once" | "again-later";
};

/** First match wins. */
export const retryRules: readonly RetryRule[] = [
  {
    id: "not-wanted-any-more",
    because: "the operation was aborted meanwhile",
    when: (a) => a.unwanted,
    next: "give-up",
  },
  {
    id: "again-after-agent-restart",
    because:
      "the agent was restarted or stood still in the middle; a new attempt looks at what is there",
    when: (a, limits) => a.outcome === "interrupted" && a.interruptions <= limits.interruptions,
    next: "again-at-once",
  },
  {
    id: "agent-restarts-too-often",
    because: "the agent was restarted too many times during this step",
    when: (a) => a.outcome === "interrupted",
    next: "give-up",
  },
  {
    id: "again-with-backoff",
    because: "the failure may pass by itself",
    when: (a, limits) => a.failure.retryable && a.failures < limits.attempts,
    next: "again-later",
  },
  {
    id: "attempts-used-up",
    because: "it was tried as often as the limit allows",
    when: (a) => a.failure.retryable,
    next: "give-up",
  },
  {
    id: "not-retryable",
    because: "the same attempt would fail again",
    when: () => true,
    next: "give-up",
  },
];

export type Decision = {
  readonly rule: string;
  readonly because: string;
  /** null: no further attempt. */
  readonly retryInMs: number | null;
};

/** What follows a failed attempt; `random` is in [0, 1). */
export function afterFailure(
  attempt: FailedAttempt,
  limits: RetryLimits,
  random: number,
): Decision {
  const rule = retryRules.find((r) => r.when(attempt, limits));
  if (rule === undefined) return { rule: "none", because: "no rule matched", retryInMs: null };
  const delays = {
    "give-up": null,
    "again-at-once": 0,
    "again-later": backoffMs(
      { firstMs: limits.retryFirstMs, mostMs: limits.retryMostMs },
      attempt.failures - 1,
      random,
    ),
  } as const;
  return { rule: rule.id, because: rule.because, retryInMs: delays[rule.next] };
}
