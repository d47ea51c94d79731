/** The clock, so that tests can move it. */
export type Clock = {
  /** The time of day, in milliseconds since the epoch: to be stored and shown. Anybody may set it, by days and backwards. */
  now(): number;
  /** Milliseconds of a clock that nobody sets: only differences say something. What waits or hurries goes by it. */
  elapsedMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

/** Slewing and rounding move a clock by less between two looks; somebody's hand by more. */
const leastSetMs = 1_000;

/** By how many milliseconds the time of day was set since the last call; 0 when it was not. */
export function watchForSetting(clock: Pick<Clock, "now" | "elapsedMs">): () => number {
  let offset = clock.now() - clock.elapsedMs();
  return () => {
    const found = clock.now() - clock.elapsedMs();
    const setBy = found - offset;
    offset = found;
    return Math.abs(setBy) < leastSetMs ? 0 : setBy;
  };
}

export type BackoffSettings = { readonly firstMs: number; readonly mostMs: number };

/** Capped exponential backoff with full jitter; `random` is in [0, 1). `attempt` counts from 0. */
export function backoffMs(settings: BackoffSettings, attempt: number, random: number): number {
  const ceiling = Math.min(settings.mostMs, settings.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
