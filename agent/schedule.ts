import type { CheckFacts } from "#shared/domain/facts.ts";
import { asFailure } from "#shared/errors.ts";
import { systemClock, watchForSetting } from "#shared/time.ts";
import { warning, type Check, type CheckResult } from "./checks/check.ts";
import { nextMatchOf } from "./next-match.ts";

export type PeriodicCheck = Omit<Check, "looks">;

export type Schedule = AsyncDisposable & {
  /** Latest runs, as the guard's facts show them. */
  checks(): CheckFacts[];
};

/** So that the agents of a site don't all ask at the same moment: a part of the time from run to run, and not for long. */
const jitterShare = 0.1;
const mostJitterMs = 5_000;
/** A timer does not see that the time of day is set: it looks again. */
const lookAgainMs = 10_000;

/** Periodic checks by the clock; a run that is still going on is not begun again. */
export function createSchedule(checks: readonly PeriodicCheck[]): Schedule {
  const stopping = new AbortController();
  const runs = checks.map((check) => startCheck(check, stopping.signal));
  return {
    checks: () => runs.map((run) => run.facts()),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      for (const run of runs) run.stop();
      await Promise.all(runs.map((run) => run.ended()));
    },
  };
}

type Run = {
  stop(): void;
  facts(): CheckFacts;
  ended(): Promise<void>;
};

/**
 * node-cron's own timer sleeps until a time of day, so that a clock that is set back keeps a check waiting; and set
 * ahead, it goes through every match that was left out (seen: 11 s for a day).
 */
function startCheck({ name, schedule, run }: PeriodicCheck, signal: AbortSignal): Run {
  const nextMatch = nextMatchOf(schedule);
  let dueAt = nextMatch(Date.now());
  const everyMs = nextMatch(dueAt) - dueAt;
  const jitter = Math.random() * Math.min(mostJitterMs, jitterShare * everyMs);
  let last: { readonly at: number; readonly tookMs: number; readonly result: CheckResult } | null =
    null;
  let current: Promise<void> | null = null;
  const runOnce = async (): Promise<void> => {
    const at = Date.now();
    const startedAt = performance.now();
    const result = await run(signal).catch((error: unknown) =>
      warning(`failed: ${asFailure(error).message}`),
    );
    last = { at, tookMs: Math.round(performance.now() - startedAt), result };
    current = null;
  };
  const clockSetBy = watchForSetting(systemClock);
  const look = (): void => {
    const isDue = Date.now() >= dueAt;
    if (isDue) current ??= runOnce();
    if (isDue || clockSetBy() !== 0) dueAt = nextMatch(Date.now());
    timer = wait();
  };
  const wait = (): NodeJS.Timeout =>
    setTimeout(look, Math.min(dueAt - Date.now() + jitter, lookAgainMs)).unref();
  let timer = wait();
  return {
    stop: () => {
      clearTimeout(timer);
    },
    facts: () => ({
      name,
      schedule,
      lastRunAt: last?.at ?? null,
      tookMs: last?.tookMs ?? null,
      lastResult: last?.result.text ?? null,
      severity: last?.result.severity ?? null,
      nextRunAt: Math.round(dueAt + jitter),
      ...(last?.result.perfdata === undefined ? {} : { perfdata: last.result.perfdata }),
    }),
    ended: async () => {
      await current;
    },
  };
}
