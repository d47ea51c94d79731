import { systemClock } from "#shared/time.ts";

/**
 * Edits that our own commands are about to make, so that the watch doesn't take them for drift. Made once in
 * main.ts; `files.replace` and `files.remove` call `expect` BEFORE the file changes, the watch asks `isExpected`.
 */
export type ExpectedChanges = {
  /** `hash` is the sha256 of the new bytes, null: the file will be removed; `from` of those that they are made of. */
  expect(path: string, hash: string | null, from?: string | null): void;
  /** Did our own edits alone make this of what is accepted? Of an earlier process's it is taken for granted. */
  isExpected(path: string, hash: string | null, accepted: string | null): boolean;
  /** The hashes that are known for a path, oldest first: kept on disk by the watch. */
  of(path: string): readonly (string | null)[];
  /** The coordinator has had its time to accept what is older. */
  forgetBefore(time: number): void;
  /** Told at once when something new is expected. */
  onExpect(listener: (path: string) => void): void;
};

type Expected = {
  readonly hash: string | null;
  readonly from: string | null | undefined;
  readonly since: number;
};

/** An operation and its undo write a file a few times; older contents are drift again. */
const keptPerPath = 8;

export function createExpectedChanges(
  now: () => number = () => systemClock.elapsedMs(),
): ExpectedChanges {
  const known = new Map<string, readonly Expected[]>();
  const listeners: ((path: string) => void)[] = [];
  return {
    expect: (path, hash, from) => {
      const others = (known.get(path) ?? []).filter((other) => other.hash !== hash);
      known.set(path, [...others, { hash, from, since: now() }].slice(-keptPerPath));
      for (const listener of listeners) listener(path);
    },
    isExpected: (path, hash, accepted) => {
      let made = hash;
      // No further than there are edits: an edit and its undo make a circle.
      for (const _ of known.get(path) ?? []) {
        const edit = known.get(path)?.find((one) => one.hash === made);
        if (edit === undefined) return false;
        if (edit.from === undefined || edit.from === accepted) return true;
        made = edit.from;
      }
      return false;
    },
    of: (path) => (known.get(path) ?? []).map((one) => one.hash),
    forgetBefore: (time) => {
      for (const [path, all] of known) {
        known.set(
          path,
          all.filter((one) => one.since >= time),
        );
      }
    },
    onExpect: (listener) => {
      listeners.push(listener);
    },
  };
}
