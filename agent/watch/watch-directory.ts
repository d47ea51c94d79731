import { watch, type FSWatcher } from "node:fs";
import { basename, dirname, relative, sep } from "node:path";
import { asFailure } from "#shared/errors.ts";
import { errnoOf } from "../adapters/file-failure.ts";
import { fileSignature } from "../adapters/local-system.ts";

/**
 * Watches one directory (not its files: such a watch ends when its file is renamed over) for anything that happens to the
 * wanted names. Where the directory isn't there, its nearest parent is watched for it. Events only say "look again".
 */
export type DirectoryWatch = AsyncDisposable & {
  /** Looks whether the watched directory still is the one that was armed; arms anew if not. */
  rearmIfReplaced(): Promise<void>;
  /** Why the kernel does not tell of changes; each rearm tries again. */
  problem(): string | null;
};

export function watchDirectory(
  directory: string,
  isWanted: (name: string) => boolean,
  /** null: anything may have happened to any of them. */
  onEvent: (name: string | null) => void,
): DirectoryWatch {
  let armed: { readonly identity: string; readonly watcher: FSWatcher } | null = null;
  let arming: Promise<void> = Promise.resolve();
  let isClosed = false;
  let problem: string | null = null;

  const rearm = async (): Promise<void> => {
    for (;;) {
      const { path, identity } = await nearestExisting(directory);
      if (isClosed || armed?.identity === identity) return;
      disarm();
      try {
        armed = { identity, watcher: arm(path) };
        problem = null;
      } catch (error) {
        // Gone between the two calls: its parent is watched for it.
        if (errnoOf(error) === "ENOENT") continue;
        problem = asFailure(error).message;
        return;
      }
      onEvent(null);
      // Once more: a missing directory may have come before its parent was armed.
    }
  };
  const rearmIfReplaced = (): Promise<void> => {
    arming = arming.then(rearm);
    return arming;
  };

  function disarm(): void {
    armed?.watcher.close();
    armed = null;
  }

  function arm(path: string): FSWatcher {
    const [next] = relative(path, directory).split(sep);
    const isWantedHere = (name: string): boolean => (path === directory ? isWanted(name) : name === next); // prettier-ignore
    const watcher = watch(path, (_, name) => {
      // The kernel gives what happens to the directory itself its own name: it may be another one now, with the same inode.
      const isItself = name === null || name === basename(path);
      if (isItself) disarm();
      if (isItself || path !== directory) void rearmIfReplaced();
      if (name !== null && isWantedHere(name)) onEvent(path === directory ? name : null);
    });
    watcher.on("error", (error) => {
      disarm();
      problem = error.message;
    });
    return watcher;
  }

  void rearmIfReplaced();
  return {
    rearmIfReplaced,
    problem: () => problem,
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await arming;
      disarm();
    },
  };
}

async function nearestExisting(
  directory: string,
): Promise<{ readonly path: string; readonly identity: string }> {
  let path = directory;
  for (;;) {
    const signature = await fileSignature(path);
    if (signature?.kind === "directory" || path === "/") {
      return { path, identity: `${path}:${signature?.device}:${signature?.inode}` };
    }
    path = dirname(path);
  }
}
