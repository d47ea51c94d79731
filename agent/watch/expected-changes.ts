import { systemClock } from "#shared/time.ts";

/**
 * Edits that our own commands are about to make, so that the watch doesn't take them for drift. Made once in
 * main.ts; `files.replace` and `files.remove` call `expect` BEFORE the file changes, the watch asks `isExpected`.
 */
export type ExpectedChanges = {
  /** `hash` is the sha256 of the new bytes; null: the file will be removed. */
  expect(path: string, hash: string | null): void;
  isExpected(path: string, hash: string | null): boolean;
  /** The hashes that are known for a path, oldest first: kept on disk by the watch. */
  of(path: string): readonly (string | null)[];
  /** The coordinator has had its time to accept what is older. */
  forgetBefore(time: number): void;
  /** Told at once when something new is expected. */
  onExpect(listener: (path: string) => void): void;
};

type Expected = { readonly hash: string | null; readonly since: number };

/** An operation and its undo write a file a few times; older contents are drift again. */
const keptPerPath = 8;

export function createExpectedChanges(
  now: () => number = () => systemClock.elapsedMs(),
): ExpectedChanges {
  const known = new Map<string, readonly Expected[]>();
  const listeners: ((path: string) => void)[] = [];
  return {
    expect: (path, hash) => {
      const others = (known.get(path) ?? []).filter((other) => other.hash !== hash);
      known.set(path, [...others, { hash, since: now() }].slice(-keptPerPath));
      for (const listener of listeners) listener(path);
    },
    isExpected: (path, hash) => known.get(path)?.some((one) => one.hash === hash) ?? false,
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
