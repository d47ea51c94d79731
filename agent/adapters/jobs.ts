import { spawn } from "node:child_process";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import type { JobRequest, JobState, Jobs } from "../ports.ts";
import { errnoOf } from "./file-failure.ts";
import {
  isAlive,
  loadExitStatus,
  loadJobFile,
  loadJobProcess,
  loadTail,
  removeJobFolder,
  saveJobFile,
  type JobProcess,
} from "./job-folder.ts";
import { jobWrapper } from "./job-wrapper.ts";
import { processesWorkingOn } from "./local-processes.ts";
import { findProgram } from "./programs.ts";

export type JobsOptions = {
  /** `<stateDirectory>/jobs`; one folder a job. */
  readonly folder: string;
  /** Directories whose programs may be run: `allow.programs` of agent.yaml. */
  readonly allowedPrograms: readonly string[];
  readonly clock: Clock;
  readonly home: string;
  /** Between SIGTERM and SIGKILL. */
  readonly killAfterMs?: number;
};

/**
 * Work that outlives the agent. A job is a session of its own (setsid), with its output in files, cwd / and a
 * wrapper that writes the exit status; it has what the agent has of privileges, which is none (no capability is
 * ever in our sets). It survives `systemctl stop` of the agent only where the unit says KillMode=process.
 *
 * Which job of a name is whose is decided by what stands in its folder: operation and generation in job.json,
 * pid with start time and boot id in `process`. A running job is never started a second time.
 */
export async function createJobs(options: JobsOptions): Promise<Jobs> {
  const { clock } = options;
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const folderOf = (name: string): string => {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/.test(name) || name.endsWith(".removed")) {
      throw new RangeError(`${JSON.stringify(name)} is no job name`);
    }
    return join(options.folder, name);
  };

  const look = async (name: string): Promise<JobState | null> => {
    const folder = folderOf(name);
    const job = await loadJobFile(folder);
    if (job === null) return null;
    const process = await loadJobProcess(folder);
    // The wrapper's last word counts, whatever it left behind in its session: in version 10 a server that the
    // control program started stays there.
    const running =
      (await loadExitStatus(folder)) === null && process !== null && (await isAlive(process));
    // Read again: a job that ended in between has written it before it was gone.
    const exitCode = running ? null : await loadExitStatus(folder);
    return {
      name,
      operationId: job.operationId,
      generation: job.generation,
      pid: process?.pid ?? 0,
      status: running ? "running" : exitCode === null ? "lost" : "ended",
      exitCode,
      startedAt: job.startedAt,
      stderr: await loadTail(join(folder, "stderr")),
    };
  };

  const start = async (request: JobRequest): Promise<JobState> => {
    const folder = folderOf(request.name);
    if ((await look(request.name)) !== null) {
      throw new Failure("ALREADY_EXISTS", `there is a job ${request.name} already`, {
        hint: "End and remove it first.",
      });
    }
    const program = await findProgram(request.program, options.allowedPrograms);
    await removeJobFolder(folder); // the beginnings of one that was never started
    await saveJobFile(
      folder,
      {
        name: request.name,
        operationId: request.operationId,
        generation: request.generation,
        argv: [program, ...request.args],
        env: Object.keys(request.env),
        startedAt: clock.now(),
      },
      {
        "touch-on-success": request.whenEnded?.touchOnSuccess ?? [],
        "remove-when-ended": request.whenEnded?.remove ?? [],
      },
    );
    crashPoint("job:described");
    const ended = await spawnWrapper(folder, { ...request, program }, options.home);
    // The wrapper's first act; until then nobody could tell that the job is ours.
    while ((await loadJobProcess(folder)) === null) {
      if (ended.reason !== null && (await loadJobProcess(folder)) === null) {
        const evidence = await loadTail(join(folder, "stderr"));
        await removeJobFolder(folder);
        throw new Failure("RESOURCE_MISSING", `${request.program} could not be started as a job`, {
          evidence: [ended.reason, ...evidence],
        });
      }
      await clock.sleep(2);
    }
    const state = await look(request.name);
    if (state === null) throw new Failure("INTERNAL", `job ${request.name} vanished at its start`);
    return state;
  };

  const end: Jobs["end"] = async (name, { leftovers = false } = {}) => {
    const process = await loadJobProcess(folderOf(name));
    if (process === null) return;
    // What an ended job left running on purpose is not its own any more.
    if (!leftovers && (await loadExitStatus(folderOf(name))) !== null) return;
    const killAt = clock.elapsedMs() + (options.killAfterMs ?? 10_000);
    for (let signal: NodeJS.Signals | null = "SIGTERM"; await isAlive(process);) {
      if (signal !== null) signalGroup(process, signal);
      signal = clock.elapsedMs() >= killAt ? "SIGKILL" : null;
      await clock.sleep(20);
    }
    crashPoint("job:ended");
  };

  const remove = (name: string): Promise<void> => removeJobFolder(folderOf(name));
  return { start, look, end, remove, writersInto: processesWorkingOn };
}

async function spawnWrapper(
  folder: string,
  request: JobRequest,
  home: string,
): Promise<{ reason: string | null }> {
  const ended: { reason: string | null } = { reason: null };
  const stdout = await open(join(folder, "stdout"), "a", 0o600);
  const stderr = await open(join(folder, "stderr"), "a", 0o600);
  try {
    const argv = ["-c", jobWrapper, "castellan-job", request.program, ...request.args];
    const child = spawn("/bin/sh", argv, {
      cwd: folder,
      detached: true,
      stdio: ["ignore", stdout.fd, stderr.fd],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", HOME: home, ...request.env },
    });
    child.once("error", (error) => (ended.reason = error.message));
    child.once("exit", (code, signal) => (ended.reason = `ended with ${code ?? signal}`));
    child.unref();
  } finally {
    await stdout.close();
    await stderr.close();
  }
  return ended;
}

/** The wrapper leads its own process group: its id is the group's, and only one that was just verified is meant. */
function signalGroup(job: JobProcess, signal: NodeJS.Signals): void {
  if (job.pid <= 1) return;
  try {
    process.kill(-job.pid, signal);
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}
