import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepHeapSmall } from "#agent/adapters/small-heap.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

test("what was needed is given back after the start, and whenever there has been no command for a moment", () => {
  const collect = vi.fn();
  using heap = keepHeapSmall(10_000, collect);
  vi.advanceTimersByTime(9_999);
  expect(collect).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(collect).toHaveBeenCalledTimes(1);

  heap.collectSoon();
  vi.advanceTimersByTime(1_500);
  heap.collectSoon();
  vi.advanceTimersByTime(1_500);
  expect(collect).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(500);
  expect(collect).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(3_600_000);
  expect(collect).toHaveBeenCalledTimes(2);
});

test("a collection really frees what nobody holds", async () => {
  const held = (() => new WeakRef({ big: "x".repeat(1000) }))();
  using _heap = keepHeapSmall(50);
  // A WeakRef keeps its object until the job that made it is over.
  await new Promise((resolve) => setImmediate(resolve));
  expect(held).toBeInstanceOf(WeakRef);
  vi.advanceTimersByTime(50);
  expect(held.deref()).toBeUndefined();
});
