import { basename, dirname, relative, sep } from "node:path";
import { watch, type FSWatcher } from "chokidar";
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

const readyWithinMs = 5_000;

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
      await disarm();
      const watcher = arm(path);
      armed = { identity, watcher };
      await readyOrFailed(watcher);
      // It failed.
      if (!isArmed(watcher)) return;
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

  function isArmed(watcher: FSWatcher): boolean {
    return armed?.watcher === watcher;
  }

  async function disarm(): Promise<void> {
    const { watcher } = armed ?? {};
    armed = null;
    await watcher?.close();
  }

  function arm(path: string): FSWatcher {
    const [next] = relative(path, directory).split(sep);
    const isWantedHere = (name: string): boolean => (path === directory ? isWanted(name) : name === next); // prettier-ignore
    const watcher = watch(path, {
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      ignorePermissionErrors: true,
      ignored: (entry) =>
        entry !== path && !(dirname(entry) === path && isWantedHere(basename(entry))),
    });
    watcher.on("error", (error) => {
      // Of an entry that is a link to itself: the directory is watched on.
      if (errnoOf(error) === "ELOOP") return;
      problem = asFailure(error).message;
      if (isArmed(watcher)) void disarm();
    });
    // Its own events are throttled: the second of two changes within 50 ms is only told by the kernel's.
    watcher.on("raw", (_, name) => {
      // The kernel gives what happens to the directory itself its own name: it may be another one now, with the same inode.
      const isItself = name === basename(path);
      // Closed by the rearm: one that is closed while it is being armed is never ready.
      if (isItself && isArmed(watcher)) armed = { identity: null, watcher };
      if (isItself || path !== directory) void rearmIfReplaced();
      if (isWantedHere(name)) onEvent(path === directory ? name : null);
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
      await disarm();
    },
  };
}

/** Or not within a limit, where its file system does not answer any more. */
function readyOrFailed(watcher: FSWatcher): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, readyWithinMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    watcher.on("ready", done);
    watcher.on("error", done);
  });
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
