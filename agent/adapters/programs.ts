import { execa } from "execa";
import { access, constants, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { Failure } from "#shared/errors.ts";
import type { ProgramOptions, ProgramResult, Programs } from "../ports.ts";
import { orNull } from "./file-failure.ts";
import { createTail } from "./tail.ts";

export type RunnerOptions = {
  /** HOME of the agent's user. */
  readonly home: string;
  /** For a caller that names no limit: nothing may hang for ever. */
  readonly timeoutMs?: number;
  readonly killAfterMs?: number;
  readonly mostOutputBytes?: number;
};

export type ProgramRunner = (
  path: string,
  args: readonly string[],
  options?: ProgramOptions,
) => Promise<ProgramResult>;

/** Programs of the allowed directories only: by absolute path, or by name (first directory that has it). */
export function createPrograms(
  allowedDirectories: readonly string[],
  runner: ProgramRunner,
): Programs {
  return {
    run: async (program, args, options) =>
      runner(await findProgram(program, allowedDirectories), args, options),
  };
}

export async function findProgram(
  program: string,
  directories: readonly string[],
): Promise<string> {
  const wanted = isAbsolute(program)
    ? directories.filter((directory) => directory === dirname(program))
    : directories;
  if (wanted.length === 0 || (!isAbsolute(program) && program !== basename(program))) {
    throw new Failure(
      "REFUSED",
      `${program} may not be run: allow.programs has no such directory`,
      {
        hint: "If it should be, add its directory to allow.programs in agent.yaml and restart the agent.",
      },
    );
  }
  for (const directory of wanted) {
    const path = join(directory, basename(program));
    const runnable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runnable && (await orNull(realpath(path))) !== null) return path;
  }
  const places = wanted.map((directory) => join(directory, basename(program))).join(", ");
  throw new Failure("RESOURCE_MISSING", `no program ${basename(program)} (looked at ${places})`, {
    hint: "Install it, or correct binDirectory and allow.programs in agent.yaml.",
  });
}

/** Runs with a minimal environment, bounded output and a limit: SIGTERM first, then SIGKILL. */
export function createProgramRunner(settings: RunnerOptions): ProgramRunner {
  const mostOutputBytes = settings.mostOutputBytes ?? 16 * 1024 * 1024;
  return async (path, args, options = {}) => {
    options.signal?.throwIfAborted();
    const startedAt = performance.now();
    const stderr = createTail(40, 500);
    const child = execa(path, args, {
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        LANG: "C.UTF-8",
        HOME: settings.home,
        ...options.env,
      },
      extendEnv: false,
      cwd: options.cwd ?? "/",
      ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
      buffer: { stdout: true, stderr: false },
      maxBuffer: { stdout: mostOutputBytes },
      stripFinalNewline: false,
      timeout: options.timeoutMs ?? settings.timeoutMs ?? 120_000,
      forceKillAfterDelay: settings.killAfterMs ?? 5_000,
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
      reject: false,
    });
    child.stderr.on("data", (chunk: Buffer) => stderr.add(chunk.toString("utf8")));
    // A daemon that the program left behind may hold the pipes open for ever: don't wait for it.
    child.once("exit", () => {
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 1_000).unref();
    });
    const result = await child;
    if (result.isCanceled) throw options.signal?.reason;
    if (result.isMaxBuffer) {
      throw new Failure("PROGRAM_FAILED", `${path} printed more than ${mostOutputBytes} bytes`);
    }
    if (result.exitCode === undefined && result.signal === undefined && !result.timedOut) {
      throw new Failure("RESOURCE_MISSING", `${path} could not be started`, {
        evidence: [result.originalMessage ?? ""],
        cause: result.cause,
      });
    }
    return {
      exitCode: result.exitCode ?? null,
      signal: result.signal ?? null,
      stdout: result.stdout,
      stderr: stderr.lines(),
      durationMs: Math.round(performance.now() - startedAt),
      timedOut: result.timedOut,
    };
  };
}
