import { type ConfigChange, shownValue } from "./config-change.ts";

/** A line that gives one thing its value, and whose first line counts: a user's password, a backend's status. */
export type KeyedEntry = {
  readonly subject: string;
  readonly line: number;
  /** Compared, never shown. */
  readonly raw: string;
  /** What may be shown of the value. */
  readonly shown: string;
};

/** Entries that came, went or have another value. Where a value may not be shown, only that it changed. */
export function entryChanges(
  before: readonly KeyedEntry[],
  after: readonly KeyedEntry[],
): readonly ConfigChange[] {
  const old = firstOf(before);
  const current = firstOf(after);
  const changes: ConfigChange[] = [];
  for (const [subject, { entry, count }] of current) {
    const known = old.get(subject);
    const place = { fromLine: known?.entry.line ?? null, toLine: entry.line };
    const name = shownValue(subject);
    if (known === undefined) {
      changes.push({ kind: "added", subject: name, from: null, to: entry.shown, ...place });
    } else if (known.entry.raw !== entry.raw) {
      const to = known.entry.shown === entry.shown ? `${entry.shown}, changed` : entry.shown;
      changes.push({ kind: "changed", subject: name, from: known.entry.shown, to, ...place });
    }
    if (count > 1 && count > (known?.count ?? 0)) {
      changes.push({ kind: "repeated", subject: name, from: null, to: String(count), ...place });
    }
  }
  for (const [subject, { entry }] of old) {
    if (current.has(subject)) continue;
    const place = { fromLine: entry.line, toLine: null };
    const name = shownValue(subject);
    changes.push({ kind: "removed", subject: name, from: entry.shown, to: null, ...place });
  }
  return changes;
}

type Counted = { readonly entry: KeyedEntry; readonly count: number };

function firstOf(entries: readonly KeyedEntry[]): ReadonlyMap<string, Counted> {
  const first = new Map<string, Counted>();
  for (const entry of entries) {
    const known = first.get(entry.subject);
    first.set(
      entry.subject,
      known === undefined ? { entry, count: 1 } : { ...known, count: known.count + 1 },
    );
  }
  return first;
}
