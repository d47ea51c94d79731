import { expect, test, vi } from "vitest";
import { createWakefulness } from "#agent/wakefulness.ts";

function clocks() {
  const at = { uptimeMs: 5_000, wallMs: 1_000_000 };
  const wakefulness = createWakefulness({
    uptimeMs: () => at.uptimeMs,
    wallMs: () => at.wallMs,
    everyMs: 1_000,
    limitMs: 10_000,
  });
  const pass = (ms: number): void => {
    at.uptimeMs += ms;
    at.wallMs += ms;
  };
  return { at, wakefulness, pass };
}

test("a busy host is no standstill", () => {
  const { wakefulness, pass } = clocks();
  using _own = wakefulness;
  for (let n = 0; n < 20; n += 1) {
    pass(8_000);
    expect(wakefulness.sleptMs()).toBe(0);
  }
});

test("a stopped process sees the gap at its first look, and remembers it", () => {
  const { wakefulness, pass } = clocks();
  using _own = wakefulness;
  pass(3_600_000);
  const slept = wakefulness.sleptMs();
  expect(slept).toBeGreaterThan(3_590_000);
  pass(1_000);
  expect(wakefulness.sleptMs()).toBe(slept);
});

test("the timer that ran before anybody asked does not hide the gap", () => {
  vi.useFakeTimers();
  try {
    const { wakefulness, pass } = clocks();
    using _own = wakefulness;
    pass(60_000);
    vi.advanceTimersByTime(1_000);
    expect(wakefulness.sleptMs()).toBeGreaterThan(50_000);
  } finally {
    vi.useRealTimers();
  }
});

test("a paused virtual machine is known by its wall clock, a clock that is put back by nothing", () => {
  const { at, wakefulness } = clocks();
  using _own = wakefulness;
  at.wallMs -= 3_600_000;
  expect(wakefulness.sleptMs()).toBe(0);
  at.wallMs += 900_000;
  expect(wakefulness.sleptMs()).toBeGreaterThan(800_000);
});
