import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/time.ts";

/**
 * Writes of what can be written again later: one at a time, each for `limitMs` at most. A disk that hangs must not hold
 * back the looks that have to tell of it.
 */
export function createPatientWriter(
  { clock, log }: { readonly clock: Pick<Clock, "sleep">; readonly log: Log },
  limitMs: number,
): (what: string, write: () => Promise<void>) => Promise<void> {
  let isWriting = false;
  return async (what, write) => {
    if (isWriting) return;
    isWriting = true;
    const isOver = new AbortController();
    const written = write()
      .catch((error: unknown) => log.error({ error }, `${what} could not be kept on disk.`))
      .finally(() => {
        isWriting = false;
        isOver.abort();
      });
    await Promise.race([written, clock.sleep(limitMs, isOver.signal).catch(() => undefined)]);
  };
}
