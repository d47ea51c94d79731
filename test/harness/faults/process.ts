import { readFileSync } from "node:fs";
import type { Host } from "../host.ts";
import { descendants, isAlive } from "../processes.ts";
import { waitFor } from "../wait-for.ts";
import { faultUntil, type Fault } from "./fault.ts";

/** Stops a process and everything that it started (SIGSTOP), until it is healed: none of them is asked. */
export async function stopTree(pid: number): Promise<Fault> {
  const stopped = new Set<number>();
  // What it starts while it is being stopped is found by the next look.
  await waitFor(
    () => {
      const all = [pid, ...descendants(pid)].filter(isAlive);
      for (const one of all) {
        if (!stopped.has(one)) signal(one, "SIGSTOP");
        stopped.add(one);
      }
      return all.every(isStopped);
    },
    { timeoutMs: 5_000, intervalMs: 5, what: `process ${pid} and its children to stop` },
  );
  return faultUntil(async () => {
    for (const one of [...stopped].reverse()) if (isAlive(one)) signal(one, "SIGCONT");
  });
}

/** In state T: by stopTree, or by itself at a named point (CASTELLAN_STOP_AT). */
export function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2) === "T";
  } catch {
    return false;
  }
}

/** SIGKILL to the postmaster alone: its children notice within moments, nothing is written any more. */
export async function killPostmaster(host: Host, pidFile: string): Promise<void> {
  const [pid = ""] = (await host.readFile(pidFile)).split("\n");
  await host.exec(["kill", "-KILL", pid]);
  await waitFor(
    async () => (await host.exec(["kill", "-0", pid], { reject: false })).exitCode !== 0,
    { timeoutMs: 5_000, what: `postmaster ${pid} to be gone` },
  );
}

/** Stops the processes of a host whose whole command line matches (extended regular expression). */
export async function stopMatching(host: Host, pattern: string): Promise<Fault> {
  await host.exec(["pkill", "-STOP", "-f", pattern]);
  return faultUntil(async () => {
    // Killed meanwhile, or another one that never was stopped: both are in order.
    await host.exec(["pkill", "-CONT", "-f", pattern], { reject: false });
  });
}

/** SIGKILL to processes of a host whose whole command line matches (extended regular expression); answers how many. */
export async function killMatching(host: Host, pattern: string): Promise<number> {
  const { stdout } = await host.exec(["pgrep", "-f", pattern], { reject: false });
  const pids = stdout.split("\n").filter((line) => line !== "");
  if (pids.length > 0) await host.exec(["kill", "-KILL", ...pids], { reject: false });
  return pids.length;
}

function signal(pid: number, name: NodeJS.Signals): void {
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`refusing to signal pid ${pid}`);
  process.kill(pid, name);
}
