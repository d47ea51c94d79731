import { spawn } from "node:child_process";
import { closeSync, existsSync, lstatSync, openSync, readFileSync, readdirSync, rmSync } from "node:fs"; // prettier-ignore
import { connect } from "node:net";
import { Failure } from "#shared/errors.ts";
import { parsePoolStatus } from "#shared/config-files/pool-status.ts";
import type { HelperSettings, PoolStart } from "./helper-settings.ts";
import { programOf, readPid } from "./pool-process.ts";
import { findProgram } from "./run-program.ts";
import { readRegular } from "./trusted-files.ts";

type PoolSettings = NonNullable<HelperSettings["pool"]>;

const startWithinMs = 20_000;
/** A watchdog that is asked to end takes its virtual address off; one that is killed leaves it there. */
const politeMs = 3_000;
const everyMs = 100;

/**
 * Starts the pool as it ran when this was installed. A pool that was killed leaves children that hold its port, sockets,
 * and a pid file that keeps the next one from starting: they go first, and nothing of a living pool's.
 */
export async function startPool(
  pool: PoolSettings,
  sleep: (ms: number) => Promise<void>,
): Promise<string> {
  if (pool.start === null) {
    throw new Failure("RESOURCE_MISSING", "how the pool is started is not in the settings", {
      hint: "castellan-root install with --start-pool, while the pool runs as it should",
    });
  }
  const start = { ...pool.start, arguments: remembering(pool.start.arguments) };
  const running = livingPool(pool);
  if (running !== null) return `running ${running}`;
  const orphans = orphansOf(pool, start);
  signal(orphans, "SIGINT");
  const areGone = (): boolean => orphansOf(pool, start).length === 0;
  if (!(await within(politeMs, areGone, sleep))) signal(orphansOf(pool, start), "SIGKILL");
  if (!(await within(startWithinMs, areGone, sleep))) {
    throw new Failure("PROGRAM_FAILED", "what is left of the old pool goes on");
  }
  for (const file of start.sockets) await assertUnused(file);
  asOwner(start, () => removeLeftovers(pool, start));
  launch(pool, start);
  if (!(await within(startWithinMs, () => livingPool(pool) !== null, sleep))) {
    throw new Failure("PROGRAM_FAILED", `the pool did not start; its log is ${start.log}`);
  }
  return `started ${livingPool(pool)}; ${orphans.length} processes of the old one ended`;
}

/** Without -D, --discard-status: a standby that was down, and may lack acknowledged rows, would be up again. */
function remembering(words: readonly string[]): readonly string[] {
  return words.flatMap((word) => {
    const kept = /^-[A-Za-z]+$/.test(word) ? word.replaceAll("D", "") : word;
    return kept === "-" || kept.startsWith("--di") ? [] : [kept];
  });
}

/** Whatever the pid file says: cut off, or the number of another program by now, it names no pool. */
function livingPool({ pidFile, program }: PoolSettings): number | null {
  const pid = readPid(readRegular(pidFile, 64) ?? "");
  return pid !== null && programOf(pid) === program ? pid : null;
}

export async function within(
  limitMs: number,
  isSo: () => boolean,
  sleep: (ms: number) => Promise<void>,
): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < limitMs; waitedMs += everyMs) {
    if (isSo()) return true;
    await sleep(everyMs);
  }
  return isSo();
}

/** Each by its exact pid, after /proc has said that it runs the pool's binary. */
function signal(pids: readonly number[], name: "SIGINT" | "SIGKILL"): void {
  // One that has ended by itself meanwhile is as wanted.
  for (const pid of pids) orNothing(() => process.kill(pid, name));
}

/** Processes of the pool's binary without a parent of theirs. @throws REFUSED where another pool of that binary runs */
function orphansOf({ program }: PoolSettings, start: PoolStart): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number); // prettier-ignore
  return pids.filter((pid) => {
    if (programOf(pid) !== program) return false;
    const line = orNothing(() => readFileSync(`/proc/${pid}/cmdline`, "latin1")) ?? "";
    // One that is ending has no arguments any more, and no program either.
    if (programOf(pid) !== program) return false;
    const [title = "", ...words] = line.split("\0");
    // A child's title (`pgpool: watchdog`) takes the place of its arguments: who has none is a pool's first process.
    if (/^\S+: /.test(title)) return true;
    const isSame = start.arguments.every((word) => words.includes(word));
    throw new Failure("REFUSED", isSame
      ? `process ${pid} is this pool, and its pid file does not say so`
      : `process ${pid} is another pool of ${program}: what is whose can't be told`, {
      hint: "Look at the pools of this host (ps), and start this one by hand.",
    }); // prettier-ignore
  });
}

/** A socket that somebody listens on is no dead pool's: another program has its place. */
async function assertUnused(file: string): Promise<void> {
  if (lstatSync(file, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const code = await new Promise<string>((resolve) => {
    const socket = connect(file, () => {
      socket.destroy();
      resolve("answers");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  if (code === "ECONNREFUSED" || code === "ENOENT") return;
  throw new Failure("REFUSED", `${file} is in use (${code}), and no process of the pool runs`, {
    hint: "See which program listens there: ss -xlp",
  });
}

/**
 * The status file stays: a standby that is down in it may lack acknowledged rows, and would be up again without it. One
 * that is damaged, or has nobody up, would only keep everybody out.
 */
function removeLeftovers({ pidFile }: PoolSettings, { sockets, statusFile }: PoolStart): void {
  for (const file of sockets) {
    if (lstatSync(file, { throwIfNoEntry: false })?.isSocket() === true) rmSync(file);
  }
  if (lstatSync(pidFile, { throwIfNoEntry: false })?.isFile() === true) rmSync(pidFile);
  const status = statusFile === null ? null : readRegular(statusFile, 4_096);
  if (statusFile === null || status === null) return;
  const { nodes, complaints } = parsePoolStatus(status);
  if (complaints.length > 0 || !nodes.includes("up")) rmSync(statusFile);
}

/** In a session of its own, and out of the agent's control group where systemd runs: it outlives whoever asked. */
function launch({ program }: PoolSettings, start: PoolStart): void {
  const command = [...asUser(start), program, ...start.arguments];
  const scope = existsSync("/run/systemd/system") ? findProgram("systemd-run") : null;
  const [file = program, ...args] =
    scope === null ? command : [scope, "--quiet", "--collect", "--scope", "--", ...command];
  const log = asOwner(start, () => openSync(start.log, "a", 0o640));
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ["ignore", log, log],
      cwd: "/",
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        LANG: "C",
        ...(start.libraryPath === null ? {} : { LD_LIBRARY_PATH: start.libraryPath }),
      },
    });
    child.unref();
  } finally {
    closeSync(log);
  }
}

/** In folders of the pool's user root must do nothing that this user could not: links there lead where he likes. */
function asOwner<T>({ uid, gid }: PoolStart, act: () => T): T {
  if (uid === 0) return act();
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([gid]);
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

function asUser({ uid, gid, capabilities }: PoolStart): readonly string[] {
  if (uid === 0) return [];
  const setpriv = findProgram("setpriv");
  if (setpriv === null)
    throw new Failure("RESOURCE_MISSING", "setpriv (util-linux) is not installed");
  const list = capabilities.map((name) => `+${name}`).join(",");
  return [
    setpriv,
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--init-groups",
    ...(list === "" ? [] : [`--inh-caps=${list}`, `--ambient-caps=${list}`]),
    "--",
  ];
}

function orNothing<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
