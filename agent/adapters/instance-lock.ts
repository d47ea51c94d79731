import { link, mkdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { Failure } from "#shared/errors.ts";
import { errnoOf, orNull } from "./file-failure.ts";

const Holder = z.strictObject({
  pid: z.int().positive(),
  startTime: z.string(),
  bootId: z.string(),
});
type Holder = z.infer<typeof Holder>;

/**
 * One agent per state directory: `agent.lock` names its holder by pid, start time and boot, so that a
 * recycled pid or a crash never leaves a lock behind. @throws Failure OPERATION_CONFLICT naming the pid
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
  await writeFile(ours, JSON.stringify(holder), { mode: 0o600 });
  try {
    // link() fails when the lock is there, and shows it to others with its whole content at once.
    for (let attempt = 0; !(await tryLink(ours, lock)); attempt += 1) {
      const found = await readHolder(lock);
      if (found !== null && (await isAlive(found, bootId))) throw heldBy(found, stateDirectory);
      if (attempt === 5) throw new Failure("OPERATION_CONFLICT", `${lock} can't be taken`);
      await clearStale(lock, `${ours}.stale`, bootId, stateDirectory);
    }
  } finally {
    await orNull(unlink(ours));
  }
  return {
    [Symbol.asyncDispose]: async () => {
      const found = await readHolder(lock);
      if (found?.pid === pid && found.startTime === holder.startTime) await orNull(unlink(lock));
    },
  };
}

/** Moved aside first: if another agent took the lock since we looked, it is put back. */
async function clearStale(
  lock: string,
  aside: string,
  bootId: string,
  stateDirectory: string,
): Promise<void> {
  if ((await orNull(rename(lock, aside))) === null) return;
  const moved = await readHolder(aside);
  if (moved !== null && (await isAlive(moved, bootId))) {
    await tryLink(aside, lock);
    await orNull(unlink(aside));
    throw heldBy(moved, stateDirectory);
  }
  await orNull(unlink(aside));
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
  const text = await orNull(readFile(path, "utf8"));
  if (text === null) return null;
  try {
    return Holder.parse(JSON.parse(text));
  } catch {
    return null; // no lock of ours: nobody can be named by it
  }
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
