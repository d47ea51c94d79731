import { basename, dirname } from "node:path";
import { watch } from "chokidar";
import { fileSignature } from "../adapters/local-system.ts";

/**
 * Watches one directory (not its files: a watch on a file ends for good when it is renamed over twice at once) for
 * anything that happens to the named entries. Where the directory isn't there, its nearest parent is watched for it.
 * Events only say "look again"; whoever listens reads the files itself.
 */
export type DirectoryWatch = AsyncDisposable & {
  /** Looks whether the watched directory still is the one that was armed; arms anew if not. */
  rearmIfReplaced(): Promise<void>;
};

export function watchDirectory(
  directory: string,
  isNamed: (name: string) => boolean,
  onEvent: () => void,
  /** Events may be missing until the watch is armed anew: by the next poll, or by one after it. */
  onTrouble: (error: unknown) => void,
): DirectoryWatch {
  let armed: { readonly identity: string; readonly close: () => Promise<void> } | null = null;
  let arming: Promise<void> = Promise.resolve();
  let isClosed = false;
  let isBroken = false;

  const rearm = async (): Promise<void> => {
    if (isClosed) return;
    const { path, identity } = await nearestExisting(directory);
    if (armed?.identity === identity && !isBroken) return;
    await armed?.close();
    isBroken = false;
    armed = { identity, close: arm(path) };
    onEvent();
  };
  const rearmIfReplaced = (): Promise<void> => {
    arming = arming.then(rearm).catch(broke);
    return arming;
  };

  /** Most often ENOSPC: no inotify watch is left for this user. */
  function broke(error: unknown): void {
    isBroken = true;
    onTrouble(error);
  }

  function arm(path: string): () => Promise<void> {
    const isWanted = (entry: string): boolean =>
      entry === path ||
      (dirname(entry) === directory && isNamed(basename(entry))) ||
      isOnTheWay(entry, directory);
    const watcher = watch(path, {
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      ignorePermissionErrors: true,
      ignored: (entry) => !isWanted(entry),
    });
    const noticed = (): void => {
      onEvent();
      // A missing parent may have come, or the directory itself may have gone.
      void rearmIfReplaced();
    };
    watcher.on("all", noticed);
    // The raw events are not throttled: the second of two changes within 50 ms is only seen here.
    watcher.on("raw", noticed);
    // What happened between the last look and the first watch.
    watcher.on("ready", noticed);
    watcher.on("error", broke);
    return () => watcher.close();
  }

  void rearmIfReplaced();
  return {
    rearmIfReplaced,
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await arming;
      await armed?.close();
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

function isOnTheWay(entry: string, directory: string): boolean {
  return directory === entry || directory.startsWith(`${entry}/`);
}
