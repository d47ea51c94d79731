import { readdir, readFile } from "node:fs/promises";
import { execa } from "execa";

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

/** Bytes of a folder's or file's own contents, in MB. */
export async function sizeOnDisk(paths: readonly string[]): Promise<number> {
  const { stdout } = await execa("du", ["-scb", ...paths], { reject: false });
  return Number(stdout.split("\n").at(-1)?.split("\t")[0]) / 1e6;
}
