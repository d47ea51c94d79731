import { expect, test } from "vitest";
import {
  afterFailure,
  retryRules,
  type FailedAttempt,
  type RetryLimits,
} from "#coordinator/operations/after-failure.ts";

const limits: RetryLimits = {
  attempts: 4,
  interruptions: 20,
  retryFirstMs: 500,
  retryMostMs: 10_000,
};
const passing: FailedAttempt = {
  outcome: "failed",
  failure: { code: "STALLED", message: "slow", hint: null, evidence: [], retryable: true },
  unwanted: false,
  failures: 1,
  interruptions: 0,
};
const decide = (change: Partial<FailedAttempt>) => afterFailure({ ...passing, ...change }, limits, 0.999); // prettier-ignore

test("a failure that may pass is tried again later, at most as often as the limit says", () => {
  expect([1, 2, 3, 4].map((failures) => decide({ failures }).rule)).toEqual([
    "again-with-backoff",
    "again-with-backoff",
    "again-with-backoff",
    "attempts-used-up",
  ]);
});

test("the wait grows from half a second and stops at the cap", () => {
  const waits = Array.from(
    { length: 12 },
    (_, i) =>
      afterFailure({ ...passing, failures: i + 1 }, { ...limits, attempts: 99 }, 0.999).retryInMs,
  );
  expect(waits[0]).toBeLessThanOrEqual(500);
  expect(waits[3]).toBeGreaterThan(2_000);
  expect(Math.max(...waits.map((w) => w ?? 0))).toBeLessThanOrEqual(10_000);
});

test("a failure that would repeat itself is not tried again", () => {
  const failure = { ...passing.failure, retryable: false };
  expect(decide({ failure })).toMatchObject({ rule: "not-retryable", retryInMs: null });
  expect(decide({ failure, outcome: "refused" }).rule).toBe("not-retryable");
});

test("an agent's restart means a new attempt at once, twenty times", () => {
  expect(decide({ outcome: "interrupted", failures: 0, interruptions: 20 })).toMatchObject({
    rule: "again-after-agent-restart",
    retryInMs: 0,
  });
  expect(decide({ outcome: "interrupted", interruptions: 21 })).toMatchObject({
    rule: "agent-restarts-too-often",
    retryInMs: null,
  });
});

test("after an abort nothing is tried again, whatever failed", () => {
  for (const outcome of ["failed", "refused", "interrupted"] as const) {
    expect(decide({ outcome, unwanted: true, interruptions: 1 }).rule).toBe("not-wanted-any-more");
  }
});

test("rule ids are unique and every rule says why", () => {
  expect(new Set(retryRules.map((rule) => rule.id)).size).toBe(retryRules.length);
  for (const rule of retryRules) expect(rule.because).not.toBe("");
});
