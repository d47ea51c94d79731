/** The known key that was probably meant: at most two letters differ, or only case and separators. */
export function suggestKey(found: string, known: readonly string[]): string | null {
  const bare = (key: string): string => key.toLowerCase().replaceAll(/[_-]/g, "");
  const same = known.find((key) => bare(key) === bare(found));
  if (same !== undefined) return same;
  const ranked = known
    .map((key) => ({ key, distance: editDistance(bare(found), bare(key)) }))
    .toSorted((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.min(2, found.length - 1) ? best.key : null;
}

/** Levenshtein. Keys are short; what is longer than any key is far from all of them. */
function editDistance(a: string, b: string): number {
  if (a.length > 64) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
