import { basename, dirname, join } from "node:path";
import { resolvedPath } from "../adapters/local-system.ts";
import { watchDirectory, type DirectoryWatch } from "./watch-directory.ts";

export type WatchedDirectories = AsyncDisposable & {
  /** The directories of these files, and these that are included, from now on. */
  include(paths: readonly string[], directories: readonly string[]): Promise<void>;
  rearmReplaced(): Promise<void>;
  /** Directories of which the kernel does not tell, each with the reason. */
  problems(): readonly string[];
};

type Watched = {
  /** By the name in this directory, files whose content stands there: more than one where they are symbolic links to it. */
  readonly files: Map<string, Set<string>>;
  isIncluded: boolean;
  readonly watch: DirectoryWatch;
};

/** One watch a directory, for all its watched files; `onEvent` gets those that something may have happened to. */
export function createWatchedDirectories(
  onEvent: (paths: readonly string[]) => void,
): WatchedDirectories {
  const all = new Map<string, Watched>();

  function watchOf(directory: string): Watched {
    const known = all.get(directory);
    if (known !== undefined) return known;
    const files: Watched["files"] = new Map();
    const watched: Watched = {
      files,
      isIncluded: false,
      watch: watchDirectory(
        directory,
        (name) => files.has(name) || (watched.isIncluded && name.endsWith(".conf")),
        (name) => {
          if (name === null) onEvent([...files.values()].flatMap((paths) => [...paths]));
          else onEvent([...(files.get(name) ?? [join(directory, name)])]);
        },
      ),
    };
    all.set(directory, watched);
    return watched;
  }

  function add(path: string, place: string): void {
    const { files } = watchOf(dirname(place));
    const name = basename(place);
    files.set(name, (files.get(name) ?? new Set()).add(path));
  }

  return {
    include: async (paths, directories) => {
      for (const path of paths) {
        add(path, path);
        add(path, await resolvedPath(path).catch(() => path));
      }
      for (const directory of directories) watchOf(directory).isIncluded = true;
    },
    rearmReplaced: async () => {
      await Promise.all([...all.values()].map(({ watch }) => watch.rearmIfReplaced()));
    },
    problems: () =>
      [...all].flatMap(([directory, { watch }]) => {
        const problem = watch.problem();
        return problem === null ? [] : [`${directory}: ${problem}`];
      }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...all.values()].map(({ watch }) => watch[Symbol.asyncDispose]()));
    },
  };
}
