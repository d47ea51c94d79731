import { readFileSync } from "node:fs";
import type { HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { Bed } from "./bed.ts";
import { coordinatorName } from "./strike.ts";

/** The last instant of an addition at which it can be aborted: by then everything is made. */
export const lastPoint = "step:declared";

/** Until a process has stopped itself at a point: state T of proc(5). */
export async function untilStopped(process: HostProcess, point: string): Promise<void> {
  await waitFor(() => stateOf(process) === "T" || !process.isRunning(), {
    timeoutMs: 240_000,
    intervalMs: 10,
    what: `a process to stop at ${point}`,
  });
  if (!process.isRunning()) throw new Error(`the process ended before it reached ${point}`);
}

/**
 * Aborts the operation of a coordinator that has stopped itself in the last step. The new node's agent is stopped
 * meanwhile: the coordinator asks it once more before it calls the addition a success, and so hears of the abort.
 */
export async function abortStopped(bed: Bed, id: string): Promise<void> {
  const agent = bed.process(bed.newNode.name);
  agent.kill("SIGSTOP");
  const aborted = bed.api.post(`/operations/${id}/abort`, {});
  bed.process(coordinatorName).kill("SIGCONT");
  // Where it is killed on the way its answer is lost; what becomes of the operation is seen later.
  await aborted.catch(() => undefined);
  agent.kill("SIGCONT");
}

function stateOf({ pid }: HostProcess): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return "gone";
  }
}
