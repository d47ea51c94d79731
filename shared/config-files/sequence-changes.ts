import type { ConfigChange } from "./config-change.ts";

/** A line (or several) with a meaning of its own. */
export type SequenceItem = {
  /** Equal for items that mean the same. */
  readonly key: string;
  /** Equal for items of which one may have become the other; shown as the subject of such a change. */
  readonly slot: string;
  /** The item as a whole, and what of it isn't in the slot, as they are shown. */
  readonly label: string;
  readonly value: string;
  readonly line: number;
};

/** What was added, removed, changed and, where the `order` counts, moved; each in time n log n at most. */
export function sequenceChanges(
  before: readonly SequenceItem[],
  after: readonly SequenceItem[],
  order: "counts" | "is nothing",
): readonly ConfigChange[] {
  const { pairs, removed, added } = pairUp(before, after, ({ key }) => key);
  const changes: ConfigChange[] = [];
  if (order === "counts") {
    for (const [from, to] of pairsOutOfOrder(pairs)) {
      changes.push(changeOf("moved", to.label, null, null, from.line, to.line));
    }
  }
  const edited = pairUp(removed, added, ({ slot }) => slot);
  for (const [from, to] of edited.pairs) {
    // What differs is a secret then.
    const value = from.value === to.value ? `${to.value}, changed` : to.value;
    changes.push(changeOf("changed", to.slot, from.value, value, from.line, to.line));
  }
  for (const item of edited.removed) {
    changes.push(changeOf("removed", item.label, null, null, item.line, null));
  }
  for (const item of edited.added) {
    changes.push(changeOf("added", item.label, null, null, null, item.line));
  }
  return changes;
}

function changeOf(
  kind: ConfigChange["kind"],
  subject: string,
  from: string | null,
  to: string | null,
  fromLine: number | null,
  toLine: number | null,
): ConfigChange {
  return { kind, subject, from, to, fromLine, toLine };
}

type Pair = readonly [SequenceItem, SequenceItem];

/** The n-th item of a key before belongs to the n-th of that key after. `pairs` are in the order before. */
function pairUp(
  before: readonly SequenceItem[],
  after: readonly SequenceItem[],
  keyOf: (item: SequenceItem) => string,
): { pairs: readonly Pair[]; removed: readonly SequenceItem[]; added: readonly SequenceItem[] } {
  const waiting = new Map<string, { readonly items: SequenceItem[]; next: number }>();
  for (const item of after) {
    const queue = waiting.get(keyOf(item));
    if (queue === undefined) waiting.set(keyOf(item), { items: [item], next: 0 });
    else queue.items.push(item);
  }
  const pairs: Pair[] = [];
  const removed: SequenceItem[] = [];
  for (const item of before) {
    const queue = waiting.get(keyOf(item));
    const match = queue?.items[queue.next];
    if (queue === undefined || match === undefined) {
      removed.push(item);
      continue;
    }
    queue.next += 1;
    pairs.push([item, match]);
  }
  const matched = new Set(pairs.map(([, to]) => to));
  return { pairs, removed, added: after.filter((item) => !matched.has(item)) };
}

/** All but a longest run of pairs that is in order on both sides: the fewest that must have moved. */
function pairsOutOfOrder(pairs: readonly Pair[]): readonly Pair[] {
  // tails[n]: the pair that ends the run of n + 1 pairs whose end comes earliest.
  const tails: number[] = [];
  const previous: number[] = [];
  const lineAt = (index: number | undefined): number => pairs[index ?? -1]?.[1].line ?? 0;
  for (let index = 0; index < pairs.length; index += 1) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lineAt(tails[middle]) < lineAt(index)) low = middle + 1;
      else high = middle;
    }
    previous.push(tails[low - 1] ?? -1);
    tails[low] = index;
  }
  const inOrder = new Set<number>();
  for (let index = tails.at(-1) ?? -1; index !== -1; index = previous[index] ?? -1) {
    inOrder.add(index);
  }
  return pairs.filter((_, index) => !inOrder.has(index));
}
