import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Write beside, fsync, rename, fsync of the folder: a crash leaves the old bytes or the new ones. */
export function replaceFile(file: string, bytes: Buffer, mode = 0o600): void {
  const beside = `${file}.new`;
  rmSync(beside, { force: true });
  writeSynced(beside, bytes, mode);
  renameSync(beside, file);
  syncDirectory(dirname(file));
}

/** A new file with these bytes, on disk when it returns. */
export function writeSynced(file: string, bytes: Buffer, mode: number): void {
  const handle = openSync(file, "wx", 0o600);
  try {
    for (let at = 0; at < bytes.length; at += writeSync(handle, bytes, at)) {
      // A short write goes on where it stopped.
    }
    fchmodSync(handle, mode);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** A file that is made, renamed or removed is so on disk only when its folder is. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
