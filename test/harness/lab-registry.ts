import { execa } from "execa";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as z from "zod";
import { removeControlGroups } from "./cgroups.ts";
import { processesOf } from "./loopback-host.ts";
import { isAlive, killHard } from "./processes.ts";
import { waitFor } from "./wait-for.ts";

/** What a lab leaves on disk, so that a later program can end it when its maker died. */
const LabRecord = z.object({
  ownerPid: z.int(),
  /** Field 22 of /proc/PID/stat: pids are used again, start times with them are not. */
  ownerStart: z.string(),
  /** Meant to live on after its maker. */
  detached: z.boolean(),
  namespaces: z.array(z.string()),
});
type LabRecord = z.infer<typeof LabRecord>;

const prefix = "castellan-lab-";

export function labFolder(labId: string): string {
  return join(tmpdir(), `${prefix}${labId.replace(/^lab/, "")}`);
}

export function saveRecord(folder: string, detached: boolean, namespaces: readonly string[]): void {
  const record: LabRecord = {
    ownerPid: process.pid,
    ownerStart: startTime(process.pid) ?? "",
    detached,
    namespaces: [...namespaces],
  };
  writeFileSync(join(folder, "lab.json"), JSON.stringify(record));
}

/** Ends what labs of dead programs left behind: their hosts, their namespaces, their folders. */
export async function sweepStaleLabs(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    const record = readRecord(folder);
    const ours = statSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (!ours || record === null || record.detached || ownerLives(record)) continue;
    // A folder that was kept for its logs has no record any more and stays.
    await removeLab(folder);
  }
}

/** Ends a lab by its folder, whoever made it. */
export async function removeLab(folder: string): Promise<void> {
  const record = readRecord(folder);
  if (record === null) throw new Error(`${folder} is not the folder of a lab`);
  const labId = `lab${basename(folder).slice(prefix.length)}`;
  for (const pid of processesOf(labId)) killHard(pid);
  await removeNamespaces(record.namespaces);
  await removeFolder(folder);
}

/** Kills what still runs in network namespaces and removes them. */
export async function removeNamespaces(namespaces: readonly string[]): Promise<void> {
  const there = namespaces.filter((name) => existsSync(`/run/netns/${name}`));
  for (const name of there) {
    const { stdout } = await execa("ip", ["netns", "pids", name], { reject: false });
    for (const pid of stdout.split("\n").filter((line) => line !== "")) killHard(Number(pid));
  }
  for (const name of namespaces) {
    await waitFor(() => removeControlGroups(name), { what: `the control group ${name} to empty` });
  }
  const lines = there.map((name) => `netns del ${name}`);
  // Another program may be sweeping the same lab: what counts is that they are gone.
  const input = `${lines.join("\n")}\n`;
  if (lines.length > 0) await execa("ip", ["-force", "-batch", "-"], { input, reject: false });
  const left = there.filter((name) => existsSync(`/run/netns/${name}`));
  if (left.length > 0) throw new Error(`cannot remove network namespaces ${left.join(", ")}`);
}

/** Removes a lab's folder; refuses while something is mounted below it, or it would delete what is mounted there. */
export async function removeFolder(folder: string): Promise<void> {
  if (readFileSync("/proc/self/mountinfo", "utf8").includes(` ${folder}/`)) {
    throw new Error(`something is still mounted below ${folder}`);
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

function readRecord(folder: string): LabRecord | null {
  try {
    return LabRecord.parse(JSON.parse(readFileSync(join(folder, "lab.json"), "utf8")));
  } catch {
    return null;
  }
}

function ownerLives({ ownerPid, ownerStart }: LabRecord): boolean {
  // A zombie still has its start time, until somebody reaps it.
  return isAlive(ownerPid) && startTime(ownerPid) === ownerStart;
}

function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Dead, and not yet collected by its parent.
    if (fields[0] === "Z" || fields[0] === "X") return null;
    return fields[19] ?? null;
  } catch {
    return null;
  }
}
