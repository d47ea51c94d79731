import fc from "fast-check";
import { createTask } from "node-cron";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { nextMatchOf } from "#agent/next-match.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

function byNodeCron(pattern: string, afterMs: number): number | undefined {
  vi.setSystemTime(afterMs);
  return createTask(pattern, () => undefined)
    .getNextRuns(1)[0]
    ?.getTime();
}

test("a pattern matches next when node-cron says so", () => {
  const field = (least: number, most: number) =>
    fc.oneof(
      { weight: 2, arbitrary: fc.constant("*") },
      fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
      fc
        .uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 3 })
        .map((values) => values.join()),
      fc
        .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
        .map((ends) => ends.join("-")),
    );
  const patterns = fc
    .tuple(field(0, 59), field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7))
    .map((fields) => fields.join(" "));
  const times = fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2032, 0) });
  vi.stubEnv("TZ", "UTC");
  fc.assert(
    fc.property(patterns, times, (pattern, afterMs) => {
      expect(nextMatchOf(pattern)(afterMs)).toBe(byNodeCron(pattern, afterMs));
    }),
  );
});

test.each([
  ["what runs every minute goes on in the hour that is there twice", "0 * * * * *", "2026-10-25T02:30:00+01:00", "2026-10-25T02:31:00+01:00"], // prettier-ignore
  ["a time of day that a change of clocks leaves out is left to the next day", "0 30 2 * * *", "2026-03-29T01:00:00+01:00", "2026-03-30T02:30:00+02:00"], // prettier-ignore
  ["a day begins by the host's own zone", "0 0 0 * * *", "2026-07-01T12:00:00+02:00", "2026-07-02T00:00:00+02:00"], // prettier-ignore
])("%s", (_, pattern, after, next) => {
  vi.stubEnv("TZ", "Europe/Berlin");
  expect(new Date(nextMatchOf(pattern)(Date.parse(after))).toISOString()).toBe(new Date(next).toISOString()); // prettier-ignore
});

test.each(["0 0 3 L * *", "0 0 3 15W * *", "0 0 3 * * 1#2", "0 0 3 * * 5L"])(
  "days that are no numbers match as well: %s",
  (pattern) => {
    vi.stubEnv("TZ", "UTC");
    const afterMs = Date.UTC(2026, 10, 23);
    expect(nextMatchOf(pattern)(afterMs)).toBe(byNodeCron(pattern, afterMs));
  },
);
