import { readlinkSync } from "node:fs";
import { Failure } from "#shared/errors.ts";
import type { HelperSettings } from "./helper-settings.ts";
import { readRegular } from "./trusted-files.ts";

type PoolSettings = NonNullable<HelperSettings["pool"]>;

/** `running PID` or `stopped`. */
export function poolStatus(pool: PoolSettings): string {
  const pid = poolPid(pool);
  return pid === null ? "stopped" : `running ${pid}`;
}

/** Has the pool read its configuration again. */
export function reloadPool(pool: PoolSettings): string {
  const pid = poolPid(pool);
  if (pid === null) {
    throw new Failure("REFUSED", `no pool to reload: ${pool.pidFile} names no living process`);
  }
  process.kill(pid, "SIGHUP");
  return `reloaded ${pid}`;
}

/**
 * The pid in the pool's pid file, if that process is the pool. Another user may write that file, so it is believed only
 * when /proc says that the process runs the pool's own binary.
 */
export function poolPid(pool: PoolSettings): number | null {
  const content = readRegular(pool.pidFile, 64);
  if (content === null) return null;
  const pid = readPid(content);
  if (pid === null) throw new Failure("REFUSED", `${pool.pidFile} holds no pid`);
  const program = programOf(pid);
  if (program === null) return null;
  if (pid === 1 || program !== pool.program) {
    throw new Failure(
      "REFUSED",
      `${pool.pidFile} names process ${pid}, which is ${program} and not ${pool.program}`,
    );
  }
  return pid;
}

export function programOf(pid: number): string | null {
  try {
    // A binary that was upgraded under a running pool has this mark.
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, "");
  } catch {
    return null;
  }
}

/** pgpool writes the number with the zero byte that ends it in C. */
export function readPid(content: string): number | null {
  const digits = /^\s*([1-9]\d{0,9})[\s\0]*$/.exec(content)?.[1];
  return digits === undefined ? null : Number(digits);
}
