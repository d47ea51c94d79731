import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { createLogUpdate } from "log-update";
import { asFailure, Failure, failures } from "#shared/errors.ts";
import { ask } from "./cli/ask.ts";
import { createApiClient } from "./cli/client.ts";
import { createCommandLine } from "./cli/command-line.ts";
import { addCoordinatorCommands } from "./cli/commands/coordinator.ts";
import { addStoreCommands } from "./cli/commands/store.ts";
import type { CliContext, Terminal } from "./cli/context.ts";
import { printable } from "./cli/render/printable.ts";
import { runDaemon } from "./daemon.ts";
import { initCoordinator } from "./init.ts";
import { finishInterruptedRestore, offlineStore } from "./offline-store.ts";
import { loadSettings } from "./settings.ts";
import { createLog } from "#shared/log.ts";

process.exitCode = await main(process.argv);

/** Answers the exit status; docs/errors.md lists them. */
async function main(argv: readonly string[]): Promise<number> {
  // What is made before its mode is set (sockets, the journal's side files) is nobody else's in between.
  process.umask(0o077);
  const interrupt = new AbortController();
  let exitCode = 0;
  const terminal = createTerminal();
  const context = createContext(terminal, interrupt, {
    options: () => program.opts<{ socket?: string; stateDir: string }>(),
    setExitCode: (code) => {
      exitCode = code;
    },
  });
  const program = createCommandLine(context);
  addCoordinatorCommands(program, context, {
    init: initCoordinator,
    run: ({ stateDirectory }) => runUntilStopped(stateDirectory, interrupt.signal),
  });
  addStoreCommands(program, context, () =>
    offlineStore(context.stateDirectory(), { pid: process.pid, uid: userInfo().uid }),
  );
  const stop = () => {
    // The second signal is a hurry.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0); // `castellan … | head`
    terminal.printError([`castellan: The answer can't be written: ${error.message}`]);
    process.exit(failures.RESOURCE_MISSING.exitCode);
  });
  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (interrupt.signal.aborted) {
      const isKnown = error instanceof Failure && error.code === "INTERRUPTED";
      const unknown = "Interrupted. What had begun goes on: castellan operation list";
      terminal.printError([isKnown ? error.message : unknown]);
      return 130;
    }
    // Commander has told a person already; a program reads it here.
    const isTold = error instanceof CommanderError;
    const failure = isTold
      ? new Failure("USAGE", error.message.replace(/^error: /, ""))
      : asFailure(error);
    // Of a call for a monitoring system the command has said how it ends.
    if (isTold && exitCode !== 0) return exitCode;
    if (isTold && !argv.includes("--json")) return failures.USAGE.exitCode;
    if (argv.includes("--json")) terminal.print([JSON.stringify({ error: toRecord(failure) })]);
    else terminal.printError(renderFailureLines(failure));
    return failures[failure.code].exitCode;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

async function runUntilStopped(stateDirectory: string, stopped: AbortSignal): Promise<void> {
  finishInterruptedRestore(stateDirectory, process.pid);
  const settings = loadSettings(stateDirectory);
  const log = createLog("castellan-coordinator", settings.logLevel);
  let unusable: Failure | null = null;
  const ended = new AbortController();
  await using _daemon = await runDaemon(settings, log, (failure) => {
    if (unusable === null) {
      log.fatal({ err: failure, evidence: failure.evidence, next: failure.hint }, failure.message);
    }
    unusable ??= failure;
    ended.abort();
  });
  const over = AbortSignal.any([stopped, ended.signal]);
  if (!over.aborted) {
    await new Promise<void>((resolve) => {
      over.addEventListener("abort", () => resolve(), { once: true });
    });
  }
  if (unusable !== null) throw unusable;
}

function createContext(
  terminal: Terminal,
  interrupt: AbortController,
  wiring: {
    readonly options: () => { socket?: string; stateDir: string };
    readonly setExitCode: (code: number) => void;
  },
): CliContext {
  const stateDirectory = () => wiring.options().stateDir;
  return {
    client: () =>
      createApiClient(
        wiring.options().socket ??
          process.env["CASTELLAN_SOCKET"] ??
          join(stateDirectory(), "api.sock"),
        interrupt.signal,
      ),
    terminal,
    requestedBy: `${process.env["SUDO_USER"] ?? userInfo().username}@${hostname()}`,
    stateDirectory,
    now: () => Date.now(),
    elapsedMs: () => performance.now(),
    interrupted: interrupt.signal,
    setExitCode: wiring.setExitCode,
    ask: async (question) =>
      process.stdin.isTTY
        ? ask(question, process.stdin, process.stderr, () => interrupt.abort())
        : null,
  };
}

function createTerminal(): Terminal {
  const live = createLogUpdate(process.stdout);
  const write = (stream: NodeJS.WriteStream) => (lines: readonly string[]) => {
    if (lines.length > 0) stream.write(`${printable(lines.join("\n"), stream.isTTY)}\n`);
  };
  return {
    isInteractive: process.stdout.isTTY === true,
    print: write(process.stdout),
    printError: write(process.stderr),
    draw: (lines) => {
      live(
        lines
          .map((line) =>
            printable(line, true).slice(0, Math.max(20, process.stdout.columns ?? 120)),
          )
          .join("\n"),
      );
    },
    drawDone: () => {
      live.done();
    },
  };
}

function renderFailureLines(failure: Failure): readonly string[] {
  return [
    `castellan: ${failure.message}`,
    ...failure.evidence.map((line) => `  | ${line}`),
    ...(failure.hint === undefined ? [] : [`next: ${failure.hint}`]),
  ];
}

function toRecord(failure: Failure): object {
  const { code, message, hint, evidence, retryable } = failure;
  return { code, message, hint: hint ?? null, evidence, retryable };
}
