import { closeSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { readSmallFile, resolvedPath } from "./local-system.ts";

export type LocalProcess = {
  readonly pid: number;
  /** Executable's name as the kernel keeps it, at most 15 characters. */
  readonly name: string;
  readonly startTicks: string;
  /** null where this user may not see it. */
  readonly workingDirectory: string | null;
};

/**
 * null when there is no such process, or only its zombie: a killed server is gone before it is reaped. Read without
 * waiting: /proc is memory, it never blocks, and a thread's wake-up would cost more than the read.
 */
export function liveProcess(pid: number): LocalProcess | null {
  const stat = liveStat(pid);
  if (stat === null) return null;
  const { name, startTicks } = stat;
  return {
    pid,
    name,
    startTicks,
    workingDirectory: orNothing(() => readlinkSync(`/proc/${pid}/cwd`)),
  };
}

/** The very same process, not another one that got its number. */
export function isStillAlive(process: LocalProcess): boolean {
  return liveStat(process.pid)?.startTicks === process.startTicks;
}

function liveStat(pid: number): ReturnType<typeof parseProcStat> {
  const stat = parseProcStat(readProcFile(`/proc/${pid}/stat`) ?? "");
  return stat === null || stat.state === "Z" || stat.state === "X" ? null : stat;
}

export type OpenProcess = Disposable & { readonly pid: number; isAlive(): boolean };

/**
 * For looks again and again: its file in /proc is kept open, which stays this process's own whoever gets its number
 * later, and reads as ESRCH once it is reaped (tried on Linux 6.18). null when there is none.
 */
export function openProcess(pid: number): OpenProcess | null {
  const fd = orNothing(() => openSync(`/proc/${pid}/stat`, "r"));
  if (fd === null) return null;
  const start = Buffer.alloc(64);
  return {
    pid,
    isAlive: () => {
      const length = orNothing(() => readSync(fd, start, 0, start.length, 0)) ?? 0;
      const state = start[start.lastIndexOf(")", length) + 2];
      return length > 0 && state !== stateCodes.zombie && state !== stateCodes.dead;
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

const stateCodes = { zombie: "Z".charCodeAt(0), dead: "X".charCodeAt(0) };

/** Those whose command line has `-D DIRECTORY`, as every server, control and backup program takes it. */
export async function processesWorkingOn(directory: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found: number[] = [];
  for (const pid of pids) {
    const words = (await readSmallFile(`/proc/${pid}/cmdline`, "utf8"))?.split("\0") ?? [];
    if (words.some((word, at) => word === "-D" && words[at + 1] === directory)) {
      found.push(Number(pid));
    }
  }
  return found;
}

/** Those that work in the directory, as a server and every process of it do in its data directory. */
export async function processesIn(directory: string): Promise<readonly number[]> {
  const place = await resolvedPath(directory);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => liveProcess(pid)?.workingDirectory === place);
}

/** null where it is missing or may not be read. */
export function readProcFile(path: string): string | null {
  return orNothing(() => readFileSync(path, "latin1"));
}

function orNothing<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** `4711 (postgres) S 1 …`: the name may hold blanks and parentheses (proc(5)). */
export function parseProcStat(text: string): {
  readonly name: string;
  readonly state: string;
  readonly processGroup: number;
  readonly startTicks: string;
} | null {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open === -1 || close < open) return null;
  const rest = text.slice(close + 2).split(" ");
  const state = rest[0];
  const startTicks = rest[19];
  if (state === undefined || startTicks === undefined) return null;
  const processGroup = Number(rest[2]);
  return { name: text.slice(open + 1, close), state, processGroup, startTicks };
}

/** The pid that a pid file begins with; null where there is no file or no number. pgpool ends its own with a NUL. */
export async function pidInFile(path: string): Promise<number | null> {
  const digits = /^\s*(\d{1,9})(?!\d)/.exec((await readSmallFile(path)) ?? "")?.[1];
  return digits !== undefined && Number(digits) > 1 ? Number(digits) : null;
}
