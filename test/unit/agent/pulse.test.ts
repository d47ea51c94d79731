import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pulse } from "#agent/pulse.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("all of one period are done in the same moment, each until it is disposed of", () => {
  const done: string[] = [];
  const first = pulse(1_000, () => done.push(`first ${Date.now() - startedAt}`));
  const startedAt = Date.now();
  vi.advanceTimersByTime(400);
  const second = pulse(1_000, () => done.push(`second ${Date.now() - startedAt}`));
  vi.advanceTimersByTime(1_600);
  first[Symbol.dispose]();
  vi.advanceTimersByTime(1_000);
  second[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
  expect(done).toEqual(["first 1000", "second 1000", "first 2000", "second 2000", "second 3000"]);
  using _again = pulse(1_000, () => done.push("again"));
  vi.advanceTimersByTime(1_000);
  expect(done.at(-1)).toBe("again");
});
