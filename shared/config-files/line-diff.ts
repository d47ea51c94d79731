/** A run of lines: `before[beforeStart, beforeEnd)` became `after[afterStart, afterEnd)`. */
export type LineChange = {
  readonly beforeStart: number;
  readonly beforeEnd: number;
  readonly afterStart: number;
  readonly afterEnd: number;
};

/** Beyond this many differing lines the middle is shown as replaced: it bounds time (N × D) and memory (D²). */
const maxDistance = 1000;

/** What changed, in order, smallest first (Myers 1986). Equal beginnings and ends cost nothing. */
export function diffLines(
  before: readonly string[],
  after: readonly string[],
): readonly LineChange[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start])
    start += 1;
  let beforeEnd = before.length;
  let afterEnd = after.length;
  while (beforeEnd > start && afterEnd > start && before[beforeEnd - 1] === after[afterEnd - 1]) {
    beforeEnd -= 1;
    afterEnd -= 1;
  }
  if (start === beforeEnd && start === afterEnd) return [];
  const ids = new Map<string, number>();
  const number = (line: string): number => {
    const known = ids.get(line);
    if (known !== undefined) return known;
    ids.set(line, ids.size);
    return ids.size - 1;
  };
  const a = Int32Array.from(before.slice(start, beforeEnd), number);
  const b = Int32Array.from(after.slice(start, afterEnd), number);
  const kept = commonPairs(a, b);
  if (kept === null) return [{ beforeStart: start, beforeEnd, afterStart: start, afterEnd }];
  return changesBetween(kept, a.length, b.length).map((change) => ({
    beforeStart: start + change.beforeStart,
    beforeEnd: start + change.beforeEnd,
    afterStart: start + change.afterStart,
    afterEnd: start + change.afterEnd,
  }));
}

type Pair = { readonly x: number; readonly y: number };

/** The lines that both have, as pairs of indexes; null when the two are too different. */
function commonPairs(a: Int32Array, b: Int32Array): readonly Pair[] | null {
  const limit = Math.min(a.length + b.length, maxDistance);
  // furthest[k + limit + 1]: how far x gets on diagonal k = x - y. One copy per distance to walk back on.
  const furthest = new Int32Array(2 * limit + 3);
  const trace: Int32Array[] = [];
  for (let distance = 0; distance <= limit; distance += 1) {
    trace.push(furthest.slice(limit + 1 - distance - 1, limit + 1 + distance + 2));
    for (let k = -distance; k <= distance; k += 2) {
      const left = furthest[limit + k] ?? 0;
      const right = furthest[limit + 2 + k] ?? 0;
      let x = k === -distance || (k !== distance && left < right) ? right : left + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      furthest[limit + 1 + k] = x;
      if (x >= a.length && y >= b.length) return walkBack(trace, a.length, b.length);
    }
  }
  return null;
}

function walkBack(trace: readonly Int32Array[], endX: number, endY: number): readonly Pair[] {
  const pairs: Pair[] = [];
  let x = endX;
  let y = endY;
  for (let distance = trace.length - 1; distance >= 0; distance -= 1) {
    const furthest = trace[distance];
    const at = (k: number): number => furthest?.[k + distance + 1] ?? 0;
    const k = x - y;
    const down = k === -distance || (k !== distance && at(k - 1) < at(k + 1));
    const fromX = distance === 0 ? 0 : at(down ? k + 1 : k - 1);
    const fromY = distance === 0 ? 0 : fromX - (down ? k + 1 : k - 1);
    const snakeX = distance === 0 ? 0 : down ? fromX : fromX + 1;
    for (; x > snakeX; x -= 1, y -= 1) pairs.push({ x: x - 1, y: y - 1 });
    x = fromX;
    y = fromY;
  }
  return pairs.toReversed();
}

function changesBetween(
  kept: readonly Pair[],
  beforeLength: number,
  afterLength: number,
): readonly LineChange[] {
  const changes: LineChange[] = [];
  let x = 0;
  let y = 0;
  for (const pair of [...kept, { x: beforeLength, y: afterLength }]) {
    if (pair.x > x || pair.y > y) {
      changes.push({ beforeStart: x, beforeEnd: pair.x, afterStart: y, afterEnd: pair.y });
    }
    x = pair.x + 1;
    y = pair.y + 1;
  }
  return changes;
}
