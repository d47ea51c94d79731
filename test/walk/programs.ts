import { readFileSync } from "node:fs";
import type { Castellan } from "#test/harness/castellan.ts";
import type { HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { ProgramName } from "./faults.ts";

/** Castellan's programs as a service manager and a villain see them. */
export type Programs = {
  isRunning(program: ProgramName): boolean;
  /** Stopped by a signal: it is there and does nothing. */
  isFrozen(program: ProgramName): boolean;
  signal(program: ProgramName, signal: NodeJS.Signals): void;
  /** SIGKILL, and its end awaited. */
  kill(program: ProgramName): Promise<void>;
  /** SIGTERM, its end awaited, and a start. */
  restart(program: ProgramName): Promise<void>;
  /** Starts it when it does not run; with a point to strike at in `env` if there is one. */
  start(program: ProgramName, env?: Readonly<Record<string, string>>): Promise<void>;
};

export function programsOf(castellan: Castellan): Programs {
  const process = (program: ProgramName): HostProcess =>
    program === "coordinator" ? castellan.coordinator() : castellan.agent(program);
  const start: Programs["start"] = async (program, env = {}) => {
    if (process(program).isRunning()) return;
    await (program === "coordinator"
      ? castellan.startCoordinator(env)
      : castellan.startAgent(program, env));
  };
  return {
    isRunning: (program) => process(program).isRunning(),
    isFrozen: (program) => stateOf(process(program).pid) === "T",
    signal: (program, signal) => process(program).kill(signal),
    kill: async (program) => {
      process(program).kill("SIGKILL");
      await process(program).exited;
    },
    restart: async (program) => {
      const former = process(program);
      former.kill("SIGTERM");
      await waitFor(() => !former.isRunning(), {
        timeoutMs: 20_000,
        what: `${program} to end when it is told to`,
      });
      await start(program);
    },
    start,
  };
}

function stateOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return null;
  }
}
