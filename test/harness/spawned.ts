import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { HostProcess } from "./host.ts";
import { childrenOf, insidePid, isAlive } from "./processes.ts";
import { waitFor, type WaitOptions } from "./wait-for.ts";

export type SpawnSettings = {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly logFile?: string | undefined;
  /** The command runs as the only child of the one that we start (nsenter). */
  readonly behind: boolean;
};

/** Put before a command: the kernel kills it when the program that started it ends, however that happens. */
export const dieWithUs = ["setpriv", "--pdeathsig", "KILL"] as const;

/** Boots a host: starts its outermost process, whose words go to its `init.log`, and waits until its init is found. */
export async function spawnHost(
  base: string,
  command: readonly string[],
  outlives: boolean,
  findInit: (outerPid: number) => number | undefined,
  wait: WaitOptions,
): Promise<number> {
  const log = openSync(join(base, "init.log"), "a");
  // A host must not survive the program that made it, unless it is meant to.
  const [file = "", ...args] = outlives ? command : [...dieWithUs, ...command];
  const outer = spawn(file, args, { stdio: ["ignore", log, log], cwd: "/", detached: outlives });
  closeSync(log);
  outer.unref();
  return waitFor(() => {
    if (outer.exitCode !== null) throw new Error(`see ${join(base, "init.log")}`);
    return findInit(outer.pid ?? 0);
  }, wait);
}

/** Starts a long-running process and finds its pids. */
export async function spawnProcess(
  argv: readonly string[],
  { env, cwd, logFile, behind }: SpawnSettings,
): Promise<HostProcess> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error("nothing to spawn");
  const log = logFile === undefined ? null : openSync(logFile, "a", 0o644);
  const output = log ?? "pipe";
  const child = spawn(file, args, {
    env: { ...env },
    stdio: [log === null ? "pipe" : "ignore", output, output],
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (log !== null) closeSync(log);
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("exit", (code) => resolve(code));
    child.once("error", reject);
  });
  // Whoever does not wait for the end must not be killed by a failed start.
  exited.catch(() => undefined);
  const pid = await findPid(child, behind);
  return {
    pid,
    insidePid: behind && isAlive(pid) ? insidePid(pid) : pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    isRunning: () => isAlive(pid),
    kill: (signal = "SIGTERM") => {
      if (isAlive(pid)) process.kill(pid, signal);
      // nsenter stops itself when its command is stopped (util-linux source), and would never see its end.
      const stops = signal === "SIGSTOP" || signal === "SIGTSTP";
      if (behind && !stops && child.exitCode === null && child.signalCode === null) {
        child.kill("SIGCONT");
      }
    },
  };
}

async function findPid(child: ChildProcess, behind: boolean): Promise<number> {
  const own = child.pid;
  if (own === undefined) throw new Error(`cannot start ${child.spawnargs.join(" ")}`);
  if (!behind) return own;
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const found = await waitFor(() => childrenOf(own)[0] ?? (ended() ? own : null), {
    timeoutMs: 5000,
    intervalMs: 2,
    what: `the process behind ${child.spawnargs.join(" ")}`,
  });
  return found;
}
