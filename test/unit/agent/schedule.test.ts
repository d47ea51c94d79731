import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fine, type CheckResult } from "#agent/checks/check.ts";
import { createSchedule } from "#agent/schedule.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: new Date("2026-11-22T12:00:00Z") });
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ["back by a day", -86_400_000],
  ["ahead by a day", 86_400_000],
])("periodic checks go on when the clock is set %s", async (_, setByMs) => {
  let runs = 0;
  await using schedule = createSchedule([
    {
      name: "rehash",
      schedule: "*/5 * * * * *",
      run: async () => {
        runs += 1;
        return fine("looked at");
      },
    },
  ]);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(runs).toBe(2);
  vi.setSystemTime(Date.now() + setByMs);
  await vi.advanceTimersByTimeAsync(30_000);
  // One of them may fall into the moment in which the new time is noticed.
  expect(runs).toBeGreaterThanOrEqual(7);
  expect(runs).toBeLessThanOrEqual(9);
  expect(schedule.checks()[0]?.lastRunAt).toBeGreaterThan(Date.now() - 6_000);
});

test("what would have run in a year that a clock leaves out is not even counted", async () => {
  let runs = 0;
  const run = async (): Promise<CheckResult> => {
    runs += 1;
    return fine("looked at");
  };
  await using _schedule = createSchedule([{ name: "guard", schedule: "* * * * * *", run }]);
  await vi.advanceTimersByTimeAsync(2_500);
  vi.setSystemTime(Date.now() + 31_536_000_000);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(runs).toBeGreaterThanOrEqual(6);
  expect(runs).toBeLessThanOrEqual(8);
});

test("a run that is still going on is not begun again, and facts say when it ran, how long, and when next", async () => {
  let begun = 0;
  let end: (result: CheckResult) => void = () => undefined;
  const run = (): Promise<CheckResult> => {
    begun += 1;
    return new Promise((resolve) => {
      end = resolve;
    });
  };
  const schedule = createSchedule([{ name: "slow", schedule: "*/5 * * * * *", run }]);
  const [idle] = schedule.checks();
  expect(idle).toMatchObject({ lastRunAt: null, lastResult: null, tookMs: null, severity: null });
  expect(idle?.nextRunAt).toBeGreaterThanOrEqual(Date.parse("2026-11-22T12:00:05Z"));
  expect(idle?.nextRunAt).toBeLessThan(Date.parse("2026-11-22T12:00:05.501Z"));
  await vi.advanceTimersByTimeAsync(21_000);
  expect(begun).toBe(1);
  end({ severity: "warning", text: "late", perfdata: "n=1" });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(begun).toBe(2);
  const [ran] = schedule.checks();
  expect(ran).toMatchObject({ lastResult: "late", severity: "warning", perfdata: "n=1" });
  expect(ran?.tookMs).toBeGreaterThanOrEqual(15_000);
  expect(ran?.lastRunAt).toBeLessThan(Date.parse("2026-11-22T12:00:06Z"));
  end(fine("done"));
  await schedule[Symbol.asyncDispose]();
});

test("whoever stops the schedule stops what runs", async () => {
  const schedule = createSchedule([
    {
      name: "endless",
      schedule: "* * * * * *",
      run: (signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve(fine("stopped")));
        }),
    },
  ]);
  await vi.advanceTimersByTimeAsync(1_500);
  await schedule[Symbol.asyncDispose]();
  expect(schedule.checks()[0]?.lastResult).toBe("stopped");
});
