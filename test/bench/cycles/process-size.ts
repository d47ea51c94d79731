import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** What a process holds at one moment. */
export type ProcessSize = {
  readonly rssMb: number;
  /** Shared pages counted by their share (proc(5), smaps_rollup). */
  readonly pssMb: number;
  readonly descriptors: number;
};

export async function processSize(pid: number): Promise<ProcessSize> {
  const memory = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const megabytes = (key: string): number =>
    (Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(memory)?.[1]) * 1024) / 1e6;
  return { rssMb: megabytes("Rss"), pssMb: megabytes("Pss"), descriptors: descriptors.length };
}

/** Bytes of files, and of everything below folders, in MB. What goes while it is looked at counts nothing. */
export async function sizeOnDisk(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (found?.isFile() === true) bytes += found.size;
    if (found?.isDirectory() !== true) continue;
    const names = await readdir(path);
    bytes += (await sizeOnDisk(names.map((name) => join(path, name)))) * 1e6;
  }
  return bytes / 1e6;
}
