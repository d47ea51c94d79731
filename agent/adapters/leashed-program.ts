import { readdirSync, readFileSync } from "node:fs";
import { execa } from "execa";
import { Failure } from "#shared/errors.ts";
import { systemClock } from "#shared/time.ts";
import { parseProcStat } from "./local-processes.ts";
import { findProgram } from "./programs.ts";
import { createTail } from "./tail.ts";

export type LeashSettings = {
  /** `allow.programs`; one of them must have `timeout`. */
  readonly allowedPrograms: readonly string[];
  /** HOME of the agent's user. */
  readonly home: string;
};

type LeashedRun = {
  readonly limitMs: number;
  readonly input?: string;
  readonly signal: AbortSignal;
};

type LeashedResult =
  | {
      readonly ended: true;
      readonly exitCode: number;
      /** The beginning of it. */
      readonly stdout: string;
      /** Last lines, bounded. */
      readonly stderr: readonly string[];
    }
  /** What became of it: `did not end within 10 s and was killed`. */
  | { readonly ended: false; readonly why: string };

export type Leash = {
  /** @throws Failure RESOURCE_MISSING where it can't be started; the signal's reason when that is aborted. */
  run(path: string, args: readonly string[], run: LeashedRun): Promise<LeashedResult>;
};

const keptCharacters = 8_192;
const mostBytes = 16 * 1024 * 1024;
const killAfterMs = 2_000;
/** The kernel takes a moment to end what was killed. */
const graceMs = 2_000;

/**
 * Runs programs that may hang for ever, in the kernel too: while one hangs that not even SIGKILL ends (it waits for a
 * disk), this leash starts no other. timeout(1) ends the whole process group, and does so when the agent is gone as
 * well; and Node waits for timeout alone to be loaded, not for a program on a disk that stands still.
 */
export function createLeash({ allowedPrograms, home }: LeashSettings): Leash {
  let stuck: { readonly group: number; readonly since: number } | null = null;

  /** Waits for what was killed to be gone; answers its pid where it is not. */
  async function survivor(group: number): Promise<number | null> {
    const until = performance.now() + graceMs;
    for (;;) {
      const alive = liveMemberOf(group);
      if (alive === null || performance.now() >= until) return alive;
      await systemClock.sleep(50);
    }
  }

  return {
    run: async (path, args, { limitMs, input, signal }) => {
      signal.throwIfAborted();
      const hanging = stuck === null ? null : liveMemberOf(stuck.group);
      if (stuck !== null && hanging !== null) return stuckFor(stuck.since, hanging);
      stuck = null;
      const since = performance.now();
      const timeout = await findProgram("timeout", allowedPrograms);
      const limits = ["-k", String(killAfterMs / 1_000), String(limitMs / 1_000)];
      const child = execa(timeout, [...limits, path, ...args], {
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", HOME: home },
        extendEnv: false,
        cwd: "/",
        // A process group of its own.
        detached: true,
        ...(input === undefined ? { stdin: "ignore" as const } : { input }),
        buffer: false,
        reject: false,
      });
      const group = child.pid ?? 0;
      let stdout = "";
      const stderr = createTail(5, 500);
      let bytes = 0;
      const count = (chunk: Buffer): string => {
        bytes += chunk.length;
        if (bytes > mostBytes) killGroup(group);
        return chunk.toString("utf8");
      };
      child.stdout.on("data", (chunk: Buffer) => {
        stdout = (stdout + count(chunk)).slice(0, keptCharacters);
      });
      child.stderr.on("data", (chunk: Buffer) => stderr.add(count(chunk)));
      // What it left behind may hold the pipes open for ever.
      child.once("exit", () => {
        setTimeout(() => {
          child.stdout.destroy();
          child.stderr.destroy();
        }, 500).unref();
      });
      const onAbort = (): void => killGroup(group);
      signal.addEventListener("abort", onAbort, { once: true });
      const result = await child;
      signal.removeEventListener("abort", onAbort);
      signal.throwIfAborted();
      if (bytes > mostBytes) {
        return { ended: false, why: `printed more than ${mostBytes} bytes and was killed` };
      }
      // timeout(1): 124 when it had to end it; where that took SIGKILL, it ends by that itself.
      const wasEnded = result.exitCode === 124 || result.signal === "SIGKILL";
      if (wasEnded && performance.now() - since >= limitMs) {
        const alive = await survivor(group);
        if (alive === null) {
          return { ended: false, why: `did not end within ${limitMs / 1_000} s and was killed` };
        }
        stuck = { group, since };
        return stuckFor(since, alive);
      }
      if (result.signal !== undefined) return { ended: false, why: `ended by ${result.signal}` };
      if (result.exitCode === undefined) {
        throw new Failure("RESOURCE_MISSING", `${timeout} could not be started`, {
          cause: result.cause,
        });
      }
      return { ended: true, exitCode: result.exitCode, stdout, stderr: stderr.lines() };
    },
  };
}

function stuckFor(since: number, pid: number): LeashedResult {
  const seconds = Math.round((performance.now() - since) / 1_000);
  return { ended: false, why: `hangs for ${seconds} s, and not even SIGKILL ends it (pid ${pid})` };
}

function killGroup(group: number): void {
  try {
    if (group > 1) process.kill(-group, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** A process of this group that still is one: no zombie. */
function liveMemberOf(group: number): number | null {
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (Number.isInteger(pid) && isLiveMember(pid, group)) return pid;
  }
  return null;
}

function isLiveMember(pid: number, group: number): boolean {
  try {
    const stat = parseProcStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
    return stat?.processGroup === group && stat.state !== "Z" && stat.state !== "X";
  } catch {
    return false; // it has just ended
  }
}
