import { createHash } from "node:crypto";
import { link, mkdir, readFile, readlink, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { Failure } from "#shared/errors.ts";
import { errnoOf, fileFailure, orNull } from "./file-failure.ts";

const Holder = z.strictObject({
  pid: z.int().positive(),
  startTime: z.string(),
  bootId: z.string(),
});
type Holder = z.infer<typeof Holder>;

/**
 * One agent per state directory: `agent.lock` names its holder by pid, start time and boot, so that a
 * recycled pid or a crash never leaves a lock behind. It is a symbolic link to that text: a short one takes no
 * block of the disk (Linux kernel docs, ext4, inline symbolic links; xfs too), and a full disk is when the guard is
 * needed most. @throws Failure OPERATION_CONFLICT naming the pid
 */
export async function takeInstanceLock(
  stateDirectory: string,
  pid: number,
): Promise<AsyncDisposable> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const lock = join(stateDirectory, "agent.lock");
  const ours = join(stateDirectory, `.agent.lock.${pid}`);
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const holder: Holder = { pid, bootId, startTime: (await startTimeOf(pid)) ?? "" };
  try {
    // Of an earlier process with our pid, as every one in a container may have: killed before it could.
    await orNull(unlink(ours));
    await symlink(textOf(holder), ours);
  } catch (error) {
    throw fileFailure("made", ours, error);
  }
  try {
    // link() fails when the lock is there, and shows it to others with its whole content at once.
    for (let attempt = 0; !(await tryLink(ours, lock)); attempt += 1) {
      const found = await readHolder(lock);
      if (isSame(found, holder) && attempt > 0) break; // linked when the stale one was cleared
      if (found !== null && (await isAlive(found, bootId))) throw heldBy(found, stateDirectory);
      if (attempt === 5) throw new Failure("OPERATION_CONFLICT", `${lock} can't be taken`);
      await clearStale(lock, ours, bootId, stateDirectory);
    }
  } finally {
    await orNull(unlink(ours));
  }
  return {
    [Symbol.asyncDispose]: async () => {
      const found = await readHolder(lock);
      if (isSame(found, holder)) await orNull(unlink(lock));
    },
  };
}

/**
 * Only who holds the claim to this very content of the lock may remove it: of many that find the same stale lock one is
 * the first to link its claim, and whoever comes later finds that the lock has changed. A claim whose holder died is
 * itself claimed, under a name that follows from both.
 */
async function clearStale(
  lock: string,
  ours: string,
  bootId: string,
  stateDirectory: string,
): Promise<void> {
  const stale = await readLock(lock);
  if (stale === null) return;
  // Taken since it was found stale?
  const holder = holderIn(stale);
  if (holder !== null && (await isAlive(holder, bootId))) return;
  let key = hashOf(stale);
  const claims = [`${lock}.claim-${key}`];
  for (let claim = claims[0] ?? ""; !(await tryLink(ours, claim)); claim = claims.at(-1) ?? "") {
    const text = await readLock(claim);
    if (text === null) return; // just cleared: look at the lock again
    const claimer = holderIn(text);
    if (claimer !== null && (await isAlive(claimer, bootId))) throw heldBy(claimer, stateDirectory);
    key = hashOf(key + text);
    claims.push(`${lock}.claim-${key}`);
  }
  try {
    if ((await readLock(lock)) !== stale) return;
    await orNull(unlink(lock));
    // Before the claims go: whoever still thinks of the stale lock must find this one.
    await tryLink(ours, lock);
  } finally {
    for (const claim of claims) await orNull(unlink(claim));
  }
}

function heldBy({ pid }: Holder, stateDirectory: string): Failure {
  return new Failure(
    "OPERATION_CONFLICT",
    `another castellan-agent (pid ${pid}) already runs with the state directory ${stateDirectory}`,
    { hint: `Stop that one first, or give this one its own stateDirectory in its agent.yaml.` },
  );
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<Holder | null> {
  const text = await readLock(path);
  return text === null ? null : holderIn(text);
}

async function readLock(path: string): Promise<string | null> {
  try {
    return await orNull(readlink(path));
  } catch (error) {
    // A file: of an agent that did not know this way yet.
    if (errnoOf(error) === "EINVAL") return orNull(readFile(path, "utf8"));
    throw error;
  }
}

/** At most 59 bytes: what ext4 keeps in the inode. */
function textOf({ pid, startTime, bootId }: Holder): string {
  return `${pid}:${startTime}:${bootId}`;
}

function holderIn(text: string): Holder | null {
  const [, pid, startTime, bootId] = /^(\d+):(\d*):([0-9a-z-]+)$/.exec(text) ?? [];
  if (pid !== undefined && startTime !== undefined && bootId !== undefined) {
    return { pid: Number(pid), startTime, bootId };
  }
  try {
    return Holder.parse(JSON.parse(text));
  } catch {
    return null; // no lock of ours: nobody can be named by it
  }
}

function isSame(found: Holder | null, { pid, startTime, bootId }: Holder): boolean {
  return found?.pid === pid && found.startTime === startTime && found.bootId === bootId;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

async function isAlive({ pid, startTime, bootId }: Holder, boot: string): Promise<boolean> {
  return bootId === boot && (await startTimeOf(pid)) === startTime;
}

/** Field 22 of /proc/PID/stat, counted after the command name (which may hold spaces and brackets). */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await orNull(readFile(`/proc/${pid}/stat`, "utf8"));
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? null : (fields[19] ?? null);
}
