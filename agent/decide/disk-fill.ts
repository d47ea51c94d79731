export type SpaceSample = { readonly at: number; readonly freeBytes: number };

const windowMs = 60_000;
/** Shorter spans say more about one write than about the load. */
const shortestMs = 4_000;

/** The samples that a rate is taken from, the new one included. Times are of a clock that nobody sets. */
export function keepSamples(
  samples: readonly SpaceSample[],
  next: SpaceSample,
): readonly SpaceSample[] {
  const kept = samples.filter(({ at }) => at <= next.at && next.at - at <= windowMs);
  return [...kept, next];
}

/**
 * Bytes a second by which the disk fills: the faster of the last minute and its last quarter, so that neither a
 * burst's beginning nor a slow rise is missed. null: too few looks, or it does not fill.
 */
export function fillRate(samples: readonly SpaceSample[]): number | null {
  const last = samples.at(-1);
  if (last === undefined) return null;
  const rates = [windowMs, windowMs / 4].flatMap((span) => {
    const first = samples.find(({ at }) => last.at - at <= span);
    if (first === undefined || last.at - first.at < shortestMs) return [];
    return [((first.freeBytes - last.freeBytes) * 1_000) / (last.at - first.at)];
  });
  const fastest = Math.max(0, ...rates);
  return fastest > 0 ? fastest : null;
}
