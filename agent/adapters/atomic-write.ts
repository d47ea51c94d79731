import { randomBytes } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { crashPoint } from "#shared/crash-point.ts";

export type AtomicWriteOptions = {
  readonly mode: number;
  /** Given to the new file where they differ from ours. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Called with the temporary file's path before it is made. */
  readonly beforeCreate?: (temporary: string) => Promise<void>;
  /** Gives the new file what it shall have of another besides its bytes; `owner` and `mode` are set after it. */
  readonly dress?: (temporary: string) => Promise<void>;
  /** The last word: throws where the file that would be replaced is not to be lost. */
  readonly beforeRename?: () => Promise<void>;
};

/** What a crash between "write beside" and "rename" leaves looks like. */
export const temporaryName = /^\..+\.castellan-[0-9a-f]{16}\.tmp$/;

/**
 * Write beside, fsync, rename, fsync the folder: a reader and a crash see the old bytes or the new
 * ones, never a mixture. `path` must not be a symbolic link: the link itself would be replaced.
 */
export async function writeAtomically(
  path: string,
  bytes: Buffer,
  { mode, owner, beforeCreate, dress, beforeRename }: AtomicWriteOptions,
): Promise<void> {
  const temporary = join(
    dirname(path),
    `.${basename(path)}.castellan-${randomBytes(8).toString("hex")}.tmp`,
  );
  await beforeCreate?.(temporary);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await dress?.(temporary);
      const made = await file.stat();
      if (owner !== undefined && (owner.uid !== made.uid || owner.gid !== made.gid)) {
        await file.chown(owner.uid, owner.gid);
      }
      // After chown, which clears set-id bits, and past the umask.
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    crashPoint("file:written-beside", path);
    await beforeRename?.();
    await rename(temporary, path);
    crashPoint("file:renamed", path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // it may never have been made
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** A rename or unlink is on disk only when its folder is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
