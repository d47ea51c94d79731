import { pulse } from "./pulse.ts";

/** Has this process stood still: stopped by a signal, a paused virtual machine, a host that slept? */
export type Wakefulness = Disposable & {
  /** All the time that it did not run, this very moment included. Only counts up. */
  sleptMs(): number;
};

export type WakefulnessOptions = {
  /** Counts on while the host sleeps (CLOCK_BOOTTIME), but not while a hypervisor holds it. */
  readonly uptimeMs: () => number;
  /** Set right after a hypervisor's pause; a clock that is put forward looks the same, and costs one more attempt. */
  readonly wallMs: () => number;
  readonly everyMs: number;
  /** A pause that is shorter than this is a busy host. */
  readonly limitMs: number;
};

/**
 * Compares clocks again and again: a gap between two looks is time in which nothing was heard. Whoever wakes up
 * and goes on where it was acts on what it knew before; the socket may hold news that nobody has read yet.
 */
export function createWakefulness(options: WakefulnessOptions): Wakefulness {
  const { uptimeMs, wallMs, everyMs, limitMs } = options;
  let last = { uptime: uptimeMs(), wall: wallMs() };
  let slept = 0;
  const look = (): void => {
    const now = { uptime: uptimeMs(), wall: wallMs() };
    const gapMs = Math.max(now.uptime - last.uptime, now.wall - last.wall) - everyMs;
    if (gapMs > limitMs) slept += gapMs;
    last = now;
  };
  const looks = pulse(everyMs, look);
  return {
    // Looks itself: woken up, a promise's continuation may run before the timer.
    sleptMs: () => {
      look();
      return slept;
    },
    [Symbol.dispose]: () => looks[Symbol.dispose](),
  };
}
