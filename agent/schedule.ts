import { createTask, validate } from "node-cron";
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
/** A timer does not see that the time of day is set: it looks again. */
const lookAgainMs = 10_000;

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
      for (const run of runs) run.stop();
      await Promise.all(runs.map((run) => run.ended()));
    },
  };
}

type Run = {
  stop(): void;
  facts(): GuardFacts["checks"][number];
  ended(): Promise<void>;
};

/**
 * node-cron only says when a pattern matches next. Its own timer sleeps until a time of day, so that a clock that is
 * set back keeps a check waiting; and set ahead, it goes through every match that was left out (seen: 11 s for a day).
 */
function startCheck(check: PeriodicCheck): Run {
  const pattern = createTask(check.schedule, () => undefined, { name: check.name });
  const jitter = Math.random() * jitterMs;
  let lastRunAt: number | null = null;
  let lastResult: string | null = null;
  let current: Promise<void> | null = null;
  const runOnce = async (): Promise<void> => {
    lastRunAt = Date.now();
    try {
      lastResult = await check.run();
    } catch (error) {
      lastResult = `failed: ${asFailure(error).message}`;
    }
    current = null;
  };
  const nextMatch = (): number => pattern.getNextRuns(1)[0]?.getTime() ?? Number.POSITIVE_INFINITY;
  let dueAt = nextMatch();
  const look = (): void => {
    if (Date.now() >= dueAt) current ??= runOnce();
    dueAt = nextMatch();
    timer = wait();
  };
  const wait = (): NodeJS.Timeout =>
    setTimeout(look, Math.min(dueAt - Date.now() + jitter, lookAgainMs)).unref();
  let timer = wait();
  return {
    stop: () => {
      clearTimeout(timer);
      void pattern.destroy(); // its promise is for tasks in other processes
    },
    facts: () => ({
      name: check.name,
      schedule: check.schedule,
      lastRunAt,
      lastResult: `${lastResult ?? "not run yet"}; next ${new Date(nextMatch()).toISOString()}`,
    }),
    ended: async () => {
      await current;
    },
  };
}
