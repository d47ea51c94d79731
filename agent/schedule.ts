import { schedule as schedulePattern, validate, type ScheduledTask } from "node-cron";
import type { GuardFacts } from "#shared/domain/facts.ts";
import { asFailure, Failure } from "#shared/errors.ts";

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
  return {
    checks: () => runs.map((run) => run.facts()),
    [Symbol.asyncDispose]: async () => {
      for (const run of runs) await run.task.destroy();
      await Promise.all(runs.map((run) => run.ended()));
    },
  };
}

type Run = {
  readonly task: ScheduledTask;
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
  const task = schedulePattern(
    check.schedule,
    () => {
      current = runOnce();
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
  return {
    task,
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
