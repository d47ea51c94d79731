import { expect, onTestFinished, test, vi } from "vitest";
import { watchProgress, type Look } from "#agent/steps/watch-progress.ts";
import type { Clock } from "#shared/time.ts";

/** A clock that only sleeping moves; `setBy` is how far somebody has set the time of day since. */
function clockOf(): Clock & { at: number; setBy: number } {
  const clock = {
    at: 0,
    setBy: 0,
    now: () => clock.at + clock.setBy,
    elapsedMs: () => clock.at,
    sleep: (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      clock.at += ms;
      return Promise.resolve();
    },
  };
  return clock;
}

const limits = { stallMs: 1_000, everyMs: 100, what: "the copy" };
const { signal } = new AbortController();
const waiting = (token: string): Look<string> => ({ state: "waiting", token, missing: "the end" });

test("slow work is waited for as long as it moves", async () => {
  const clock = clockOf();
  const result = await watchProgress<string>({ clock, signal }, limits, () =>
    Promise.resolve(
      clock.at >= 60_000
        ? { state: "done", value: "done" }
        : waiting(String(Math.floor(clock.at / 900))),
    ),
  );
  expect(result).toBe("done");
});

test("work that does not move for the limit has stalled, and may be tried again", async () => {
  const clock = clockOf();
  const stalled = watchProgress({ clock, signal }, limits, () => Promise.resolve(waiting("1")));
  await expect(stalled).rejects.toMatchObject({
    code: "STALLED",
    retryable: true,
    message: "the copy made no progress for 1 s: the end",
  });
  expect(clock.at).toBe(1_000);
});

test("an agent that stood still itself takes nothing else for standing still", async () => {
  const clock = clockOf();
  let looks = 0;
  const moving = watchProgress<string>({ clock, signal }, limits, () => {
    looks += 1;
    // Stopped after it has looked, once, for ten times the limit.
    const seen = waiting(String(Math.floor(looks / 9)));
    if (looks === 5) clock.at += 10_000;
    return Promise.resolve(looks >= 30 ? { state: "done", value: "done" } : seen);
  });
  expect(await moving).toBe("done");
});

test("an abort ends the wait with its own reason", async () => {
  const controller = new AbortController();
  controller.abort(new Error("cancelled"));
  const ended = watchProgress({ clock: clockOf(), signal: controller.signal }, limits, () =>
    Promise.resolve(waiting("1")),
  );
  await expect(ended).rejects.toThrow("cancelled");
});

test.each([86_400_000, -86_400_000])(
  "a clock that is set by %i ms meanwhile is no stall, and hides none",
  async (setBy) => {
    const clock = clockOf();
    const moving = watchProgress<string>({ clock, signal }, limits, () => {
      clock.setBy = clock.at >= 500 ? setBy : 0;
      return Promise.resolve(
        clock.at >= 1_500
          ? { state: "done", value: "done" }
          : waiting(String(Math.floor(clock.at / 900))),
      );
    });
    expect(await moving).toBe("done");
    const stuck = clockOf();
    const stalled = watchProgress({ clock: stuck, signal }, limits, () => {
      stuck.setBy = stuck.at >= 500 ? setBy : 0;
      return Promise.resolve(waiting("1"));
    });
    await expect(stalled).rejects.toMatchObject({ code: "STALLED" });
    expect(stuck.at).toBe(1_000);
  },
);

test("an answer that comes as soon as the agent goes on again is an answer", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let answer: (look: Look<string>) => void = () => undefined;
  const look = (): Promise<Look<string>> => new Promise((resolve) => (answer = resolve));
  const awaited = watchProgress({ clock: clockOf(), signal }, { ...limits, stallMs: 60_000 }, look);
  const end = Promise.allSettled([awaited]);
  // What a stopped process finds when it goes on: its timers are late, and each of them rings once.
  await vi.advanceTimersToNextTimerAsync();
  await vi.advanceTimersToNextTimerAsync();
  answer({ state: "done", value: "done" });
  expect(await end).toMatchObject([{ status: "fulfilled", value: "done" }]);
});

test("a look that gets no answer is a stall like any other, or ends with an abort", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const never = new Promise<never>(() => undefined);
  const patient = { ...limits, stallMs: 60_000 };
  const stalled = watchProgress({ clock: clockOf(), signal }, patient, () => never);
  const controller = new AbortController();
  const aborted = watchProgress(
    { clock: clockOf(), signal: controller.signal },
    patient,
    () => never,
  );
  const ends = Promise.allSettled([stalled, aborted]);
  controller.abort(new Error("cancelled"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await ends).toMatchObject([
    {
      reason: {
        code: "STALLED",
        retryable: true,
        message: "the copy made no progress for 60 s: no answer",
      },
    },
    { reason: { message: "cancelled" } },
  ]);
});
