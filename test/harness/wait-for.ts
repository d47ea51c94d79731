import { setTimeout as sleep } from "node:timers/promises";

export type WaitOptions = {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** What is awaited, for the message when it does not come. */
  readonly what?: string;
};

/** Calls `probe` until it gives something truthy; a probe that throws counts as "not yet". */
export async function waitFor<T>(
  probe: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 50, what = "the condition" }: WaitOptions = {},
): Promise<Exclude<Awaited<T>, false | null | undefined | 0 | "">> {
  const limit = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await probe();
      // A truthy value is none of the excluded ones: TypeScript can't narrow a bare type parameter.
      if (value) return value as Exclude<Awaited<T>, false | null | undefined | 0 | "">;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > limit) {
      throw new Error(`${what} did not come within ${timeoutMs} ms`, { cause });
    }
    await sleep(intervalMs);
  }
}
