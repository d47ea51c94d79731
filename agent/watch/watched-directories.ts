import { basename, dirname } from "node:path";
import { watchDirectory, type DirectoryWatch } from "./watch-directory.ts";

export type WatchedDirectories = AsyncDisposable & {
  /** Every directory of these files, and these directories themselves, from now on. */
  include(paths: readonly string[], directories: readonly string[]): void;
  rearmReplaced(): Promise<void>;
};

/** One watch a directory, for all its watched files; `onEvent` gets those of them that something may have happened to. */
export function createWatchedDirectories(
  onEvent: (paths: readonly string[]) => void,
  onTrouble: (directory: string, error: unknown) => void,
): WatchedDirectories {
  const watches = new Map<
    string,
    { readonly paths: Set<string>; readonly watch: DirectoryWatch }
  >();

  function pathsOf(directory: string): Set<string> {
    const known = watches.get(directory);
    if (known !== undefined) return known.paths;
    const paths = new Set<string>();
    const watch = watchDirectory(
      directory,
      (name) => [...paths].some((path) => basename(path) === name),
      () => onEvent([...paths]),
      (error) => onTrouble(directory, error),
    );
    watches.set(directory, { paths, watch });
    return paths;
  }

  return {
    include: (paths, directories) => {
      for (const path of paths) pathsOf(dirname(path)).add(path);
      for (const directory of directories) pathsOf(directory);
    },
    rearmReplaced: async () => {
      await Promise.all([...watches.values()].map(({ watch }) => watch.rearmIfReplaced()));
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...watches.values()].map(({ watch }) => watch[Symbol.asyncDispose]()));
    },
  };
}
