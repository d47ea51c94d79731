import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AddressMonitor } from "#agent/adapters/address-monitor.ts";
import { createAddressWatch } from "#agent/watch/address-watch.ts";
import { systemClock } from "#shared/time.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function bed({ isBroken = false } = {}) {
  const started: { line: () => void; end: (words: string) => void }[] = [];
  const said: unknown[] = [];
  let changes = 0;
  const start = (line: () => void): AddressMonitor => {
    let end: (words: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => {
      end = resolve;
    });
    started.push({ line, end });
    if (isBroken) end("no such program");
    return { ended, [Symbol.dispose]: () => end("disposed") };
  };
  const watch = createAddressWatch({
    clock: systemClock,
    log: { info: (fields: unknown) => said.push(fields) } as never, // nothing else is called
    random: () => 1,
    onChange: () => (changes += 1),
    start,
  });
  return { watch, started, said, changes: () => changes };
}

test("the first line wakes at once, and a flood of them once a second", async () => {
  const { watch, started, changes } = bed();
  for (let i = 0; i < 5; i += 1) started[0]?.line();
  await vi.advanceTimersByTimeAsync(0);
  expect(changes()).toBe(1);
  for (let i = 0; i < 50; i += 1) {
    started[0]?.line();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(changes()).toBe(6);
  await watch[Symbol.asyncDispose]();
});

test("a monitor that ends is started again, ever more patiently, and the same trouble is said once", async () => {
  const { watch, started, said } = bed({ isBroken: true });
  await vi.advanceTimersByTimeAsync(600_000);
  // After 1, 2, 4 … 32 s, then every 60 s.
  expect(started).toHaveLength(15);
  expect(said).toEqual([{ problem: "no such program" }]);
  await watch[Symbol.asyncDispose]();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(started).toHaveLength(15);
});

test("one that ran for a while is started again soon", async () => {
  const { watch, started } = bed();
  await vi.advanceTimersByTimeAsync(60_000);
  started[0]?.end("killed");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(started).toHaveLength(2);
  await watch[Symbol.asyncDispose]();
});
