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

/** What this user may not read is left to the poll. */
const forbidden: ReadonlySet<string | null> = new Set(["EACCES", "EPERM"]);

export function watchDirectory(
  directory: string,
  isWanted: (name: string) => boolean,
  /** null: anything may have happened to any of them. */
  onEvent: (name: string | null) => void,
): DirectoryWatch {
  /** Of an `identity` of null it is known that the directory may be another one now. */
  let armed: { readonly identity: string | null; readonly watcher: FSWatcher } | null = null;
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
      } catch (error) {
        const code = errnoOf(error);
        if (code === "ENOENT") continue;
        problem = forbidden.has(code) ? null : asFailure(error).message;
        return;
      }
      problem = null;
      onEvent(null);
      // Once more: a missing directory may have come before its parent was armed.
    }
  };
  const rearmIfReplaced = (): Promise<void> => {
    // What does not answer is still watched, and looked at again by the next poll.
    arming = arming.then(rearm).catch(() => undefined);
    return arming;
  };

  function disarm(): void {
    armed?.watcher.close();
    armed = null;
  }

  function arm(path: string): FSWatcher {
    const [next] = relative(path, directory).split(sep);
    const watcher = watch(path, (_, name) => {
      // The kernel gives what happens to the directory itself its own name: it may be another one now, with the same inode.
      const isItself = name === basename(path);
      if (isItself && armed?.watcher === watcher) armed = { identity: null, watcher };
      if (isItself || path !== directory) void rearmIfReplaced();
      const isWantedHere = name !== null && (path === directory ? isWanted(name) : name === next);
      if (isWantedHere) onEvent(path === directory ? name : null);
    });
    watcher.on("error", (error) => {
      problem = asFailure(error).message;
      if (armed?.watcher === watcher) disarm();
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
