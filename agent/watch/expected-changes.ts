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
  /** Told at once when something new is expected. */
  onExpect(listener: (path: string) => void): void;
};

/** An operation and its undo write a file a few times; older contents are drift again. */
const keptPerPath = 8;

export function createExpectedChanges(): ExpectedChanges {
  const known = new Map<string, (string | null)[]>();
  const listeners: ((path: string) => void)[] = [];
  return {
    expect: (path, hash) => {
      const others = (known.get(path) ?? []).filter((other) => other !== hash);
      known.set(path, [...others, hash].slice(-keptPerPath));
      for (const listener of listeners) listener(path);
    },
    isExpected: (path, hash) => known.get(path)?.includes(hash) ?? false,
    of: (path) => known.get(path) ?? [],
    onExpect: (listener) => {
      listeners.push(listener);
    },
  };
}
