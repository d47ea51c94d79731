/** The clock, so that tests can move it. All times are milliseconds since the epoch. */
export type Clock = {
  now(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

export const systemClock: Clock = {
  now: () => Date.now(),
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

export type BackoffSettings = { readonly firstMs: number; readonly mostMs: number };

/** Capped exponential backoff with full jitter; `random` is in [0, 1). `attempt` counts from 0. */
export function backoffMs(settings: BackoffSettings, attempt: number, random: number): number {
  const ceiling = Math.min(settings.mostMs, settings.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
