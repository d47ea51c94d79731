import { readdirSync, readFileSync } from "node:fs";

/** Direct children of a process, by every one of its threads. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8")
        .split(" ")
        .filter((word) => word !== "")
        .map(Number),
    );
  } catch {
    return [];
  }
}

/** Children, grandchildren and so on, deepest first. */
export function descendants(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [...descendants(child), child]);
}

/** A process that is gone, or only waits to be reaped, is not alive. */
export function isAlive(pid: number): boolean {
  const state = statState(pid);
  return state !== null && state !== "Z" && state !== "X";
}

function statState(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return null;
  }
}

/** The pid that a process has in its own pid namespace. */
export function insidePid(pid: number): number {
  const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]?.split(/\s+/).at(-1) ?? pid);
}

/** Processes whose environment has the variable; those of other users are left out without root. */
export function processesWithEnv(variable: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && hasEnv(pid, variable));
}

function hasEnv(pid: number, variable: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .some((entry) => entry === variable || entry.startsWith(`${variable}/`));
  } catch {
    return false;
  }
}

/** Ends a process at once; one that is gone already is no error. */
export function killHard(pid: number): void {
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`refusing to kill pid ${pid}`);
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
