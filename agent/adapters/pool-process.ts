import { open, readdir } from "node:fs/promises";
import { linkTarget, readSmallFile } from "./local-system.ts";

/** The pool's processes as /proc shows them: readable for everyone, though the vendor's pool is root's. */
export type PoolChild = { readonly pid: number; readonly title: string };

/** The parent's pid if it lives; null otherwise. */
export async function poolParent(pidFile: string): Promise<number | null> {
  // pgpool writes the number with the zero byte that ends it in C.
  const content = (await readSmallFile(pidFile))?.replaceAll("\0", "").trim() ?? "";
  const pid = /^[1-9]\d{0,9}$/.test(content) ? Number(content) : null;
  return pid !== null && (await isAlive(pid)) ? pid : null;
}

export async function poolChildren(parent: number): Promise<readonly PoolChild[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const children = await Promise.all(
    pids.map(async (pid) => {
      const found = await readStat(pid);
      if (found?.parent !== parent || isDead(found.state)) return null;
      const title = (await readSmallFile(`/proc/${pid}/cmdline`)) ?? "";
      return { pid, title: title.replaceAll("\0", " ").trim() };
    }),
  );
  return children.filter((child) => child !== null);
}

/** A zombie counts as dead: the parent may reap it a second later. */
export async function isAlive(pid: number): Promise<boolean> {
  const found = await readStat(pid);
  return found !== null && !isDead(found.state);
}

/** Where the pool's standard error goes, if that is a file that we may read. */
export async function standardErrorFile(pid: number): Promise<string | null> {
  const target = await linkTarget(`/proc/${pid}/fd/2`);
  return target !== null && target.startsWith("/") && !target.startsWith("/dev/") ? target : null;
}

export async function fileSize(path: string): Promise<number | null> {
  try {
    await using file = await open(path, "r");
    const stats = await file.stat();
    return stats.isFile() ? stats.size : null;
  } catch {
    return null;
  }
}

/** At most a megabyte of what was written behind `offset`. */
export async function readFrom(path: string, offset: number): Promise<string> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  const length = Math.min(Math.max(0, size - offset), 1024 * 1024);
  const buffer = Buffer.alloc(length);
  await file.read(buffer, 0, length, size - length);
  return buffer.toString("latin1");
}

async function readStat(pid: number) {
  const stat = await readSmallFile(`/proc/${pid}/stat`);
  // The name in parentheses may hold blanks and parentheses (proc(5)).
  const [state, parent] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  return state === undefined || parent === undefined ? null : { state, parent: Number(parent) };
}

function isDead(state: string): boolean {
  return state === "Z" || state === "X";
}
