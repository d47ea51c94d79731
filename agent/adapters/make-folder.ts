import { mkdir } from "node:fs/promises";
import { errnoOf } from "./file-failure.ts";

/**
 * One private folder whose parent is there; nothing where it is there itself. Not by mkdir's `recursive`, which says
 * ENOENT of a full disk (Node 20.20, seen on ext4): nobody would look for space then.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}
