import { afterEach, beforeEach, expect, test, vi } from "vitest";
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
        return "looked at";
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
  const run = async (): Promise<string> => {
    runs += 1;
    return "looked at";
  };
  await using _schedule = createSchedule([{ name: "guard", schedule: "* * * * * *", run }]);
  await vi.advanceTimersByTimeAsync(2_500);
  vi.setSystemTime(Date.now() + 31_536_000_000);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(runs).toBeGreaterThanOrEqual(6);
  expect(runs).toBeLessThanOrEqual(8);
});
