import { schedule as schedulePattern, validate, type ScheduledTask } from "node-cron";
import type { GuardFacts } from "#shared/domain/facts.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { systemClock, watchForSetting } from "#shared/time.ts";

export type PeriodicCheck = {
  readonly name: string;
  /** node-cron expression, with seconds. */
  readonly schedule: string;
  /** One line for people: what it found. */
  readonly run: () => Promise<string>;
};

export type Schedule = AsyncDisposable & {
  /** Latest runs, as the guard's facts show them. */
  checks(): GuardFacts["checks"];
};

/** So that the agents of a site don't all ask at the same moment. */
const jitterMs = 250;
/** node-cron sleeps until a time of day: set back by a day, its clock would keep a check waiting for a day. */
const lookAtClockEveryMs = 2_000;

/** Periodic checks by the clock; a run that is still going on is not begun again. */
export function createSchedule(checks: readonly PeriodicCheck[]): Schedule {
  const wrong = checks.find((check) => !validate(check.schedule));
  if (wrong !== undefined) {
    throw new Failure(
      "CONFIG_INVALID",
      `guard.schedules.${wrong.name} is "${wrong.schedule}", which is no schedule`,
      { hint: 'Six fields, e.g. "*/30 * * * * *" for every 30 seconds.' },
    );
  }
  const runs = checks.map(startCheck);
  const setBy = watchForSetting(systemClock);
  const clockWatch = setInterval(() => {
    if (setBy() !== 0) for (const run of runs) run.plan();
  }, lookAtClockEveryMs);
  clockWatch.unref();
  return {
    checks: () => runs.map((run) => run.facts()),
    [Symbol.asyncDispose]: async () => {
      clearInterval(clockWatch);
      for (const run of runs) run.stop();
      await Promise.all(runs.map((run) => run.ended()));
    },
  };
}

type Run = {
  /** From now on by the time of day that it is now. */
  plan(): void;
  stop(): void;
  facts(): GuardFacts["checks"][number];
  ended(): Promise<void>;
};

function startCheck(check: PeriodicCheck): Run {
  let lastRunAt: number | null = null;
  let lastResult: string | null = null;
  let current: Promise<void> = Promise.resolve();
  const runOnce = async (): Promise<void> => {
    lastRunAt = Date.now();
    try {
      lastResult = await check.run();
    } catch (error) {
      lastResult = `failed: ${asFailure(error).message}`;
    }
  };
  let isRunning = false;
  const start = (): ScheduledTask =>
    schedulePattern(
      check.schedule,
      () => {
        // Its own word for this is lost when it is planned anew.
        if (isRunning) return current;
        isRunning = true;
        current = runOnce().finally(() => {
          isRunning = false;
        });
        return current;
      },
      {
        name: check.name,
        noOverlap: true,
        maxRandomDelay: jitterMs,
        suppressMissedWarning: true,
        unref: true,
      },
    );
  let task = start();
  const stop = (): void => void task.destroy(); // answers at once: its promise is for tasks in other processes
  return {
    plan: () => {
      stop();
      task = start();
    },
    stop,
    facts: () => {
      const next = task.getNextRun()?.toISOString() ?? "never";
      return {
        name: check.name,
        schedule: check.schedule,
        lastRunAt,
        lastResult: `${lastResult ?? "not run yet"}; next ${next}`,
      };
    },
    ended: () => current,
  };
}
