import { readFileSync } from "node:fs";
import type { HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** Until a process has stopped itself at a point: state T of proc(5). */
export async function untilStopped(process: HostProcess, point: string): Promise<void> {
  await waitFor(() => stateOf(process) === "T" || !process.isRunning(), {
    timeoutMs: 240_000,
    intervalMs: 10,
    what: `a process to stop at ${point}`,
  });
  if (!process.isRunning()) throw new Error(`the process ended before it reached ${point}`);
}

function stateOf({ pid }: HostProcess): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return "gone";
  }
}
