import { mkdir, open, readdir, rename, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { syncDirectory, writeAtomically } from "./atomic-write.ts";
import { fileFailure, orNull } from "./file-failure.ts";
import { liveProcess, parseProcStat } from "./local-processes.ts";
import { readSmallFile } from "./local-system.ts";

/** `<stateDirectory>/jobs/<name>/job.json`: what was asked for. Holds no secret. */
export const JobFile = z.strictObject({
  name: z.string(),
  operationId: z.string(),
  generation: z.int(),
  argv: z.array(z.string()),
  /** Names only: values may name files that are gone. */
  env: z.array(z.string()),
  startedAt: z.number(),
});
export type JobFile = z.infer<typeof JobFile>;

/** Who runs a job: a pid alone is used again, with its start time and the boot id it is one process for ever. */
export type JobProcess = {
  readonly pid: number;
  readonly startTicks: string;
  readonly bootId: string;
};

export async function saveJobFile(
  folder: string,
  job: JobFile,
  lists: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
    for (const [file, paths] of Object.entries(lists)) {
      const lines = paths.map((path) => `${path}\n`).join("");
      await writeAtomically(join(folder, file), Buffer.from(lines), { mode: 0o600 });
    }
    // Last: a folder without it never started anything.
    const text = `${JSON.stringify(job, null, 2)}\n`;
    await writeAtomically(join(folder, "job.json"), Buffer.from(text), { mode: 0o600 });
  } catch (error) {
    throw fileFailure("written", folder, error);
  }
}

/** null where there is no such job, or only the beginnings of one. */
export async function loadJobFile(folder: string): Promise<JobFile | null> {
  const text = await readSmallFile(join(folder, "job.json"), "utf8");
  if (text === null) return null;
  const parsed = JobFile.safeParse(parseJson(text));
  return parsed.success ? parsed.data : null;
}

/** What the wrapper wrote about itself; null before it did. */
export async function loadJobProcess(folder: string): Promise<JobProcess | null> {
  const text = await readSmallFile(join(folder, "process"));
  const [stat = "", bootId = "", end] = text?.split("\n") ?? [];
  const parsed = parseProcStat(stat);
  const pid = Number(stat.split(" ", 1)[0]);
  // Without the last newline it is still being written.
  if (end === undefined || parsed === null || !Number.isInteger(pid) || pid <= 1) return null;
  return { pid, startTicks: parsed.startTicks, bootId };
}

/**
 * Does the wrapper live, or anything of its session after it was killed alone? A copy that goes on without its
 * wrapper still writes into its directory. The kernel does not use a pid again while it is a session's id.
 */
export async function isAlive(process: JobProcess): Promise<boolean> {
  const boot = await readSmallFile("/proc/sys/kernel/random/boot_id");
  if (boot?.trim() !== process.bootId) return false;
  const leader = liveProcess(process.pid);
  if (leader !== null) return leader.startTicks === process.startTicks;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readSmallFile(`/proc/${name}/stat`);
    // proc(5): … (comm) state ppid pgrp session …
    const [state, , , session] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    if (session === String(process.pid) && state !== "Z" && state !== "X") return true;
  }
  return false;
}

/** Files that jobs still have, to be removed when they end: password files above all. */
export async function filesOfJobs(jobsFolder: string): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  for (const name of (await orNull(readdir(jobsFolder))) ?? []) {
    const listed = (await readSmallFile(join(jobsFolder, name, "remove-when-ended"), "utf8")) ?? "";
    for (const path of listed.split("\n")) if (path !== "") files.add(path);
  }
  return files;
}

export async function loadExitStatus(folder: string): Promise<number | null> {
  const text = await readSmallFile(join(folder, "exit-status"));
  return text !== null && /^ *\d{1,3}\n$/.test(text) ? Number(text) : null;
}

const tailBytes = 32 * 1024;
const tailLines = 40;

/** The last lines; progress meters rewrite theirs with \r. */
export async function loadTail(path: string): Promise<readonly string[]> {
  const file = await orNull(open(path, "r"));
  if (file === null) return [];
  try {
    const { size } = await file.stat();
    const length = Math.min(size, tailBytes);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, size - length);
    const lines = buffer.toString("utf8").split(/\r\n|\n|\r/);
    return lines
      .filter((line) => line !== "")
      .slice(-tailLines)
      .map((line) => line.slice(0, 500));
  } finally {
    await file.close();
  }
}

/**
 * Renamed away first: a wrapper that starts late finds no folder and gives up. What the wrapper was to remove and
 * could not, because it was killed, goes too.
 */
export async function removeJobFolder(folder: string): Promise<void> {
  const leftovers = (await readSmallFile(join(folder, "remove-when-ended"), "utf8")) ?? "";
  for (const path of leftovers.split("\n")) if (path !== "") await orNull(unlink(path));
  const doomed = `${folder}.removed`;
  await rm(doomed, { recursive: true, force: true });
  if ((await orNull(readdir(folder))) === null) return;
  await rename(folder, doomed);
  await syncDirectory(join(folder, ".."));
  await rm(doomed, { recursive: true, force: true });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
