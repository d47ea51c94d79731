import type { Progress } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import type {
  CommandOutcome,
  CommandRequest,
  Dispatch,
  DispatchOptions,
} from "../hub/command-board.ts";
import type { AgentView } from "../ports.ts";

/** The part of the hub that steps need. */
export type CommandPort = {
  view(node: string): AgentView | null;
  dispatch(
    node: string,
    request: CommandRequest,
    onProgress?: (progress: Progress) => void,
    options?: DispatchOptions,
  ): Dispatch;
};

export type AgentCommandOptions = {
  readonly commands: CommandPort;
  readonly clock: Clock;
  /** How long an agent may stay away while its end of the step is awaited. */
  readonly agentWaitMs: number;
  /** Asks the agent to stop working on it; its end is awaited all the same. */
  readonly cancel: AbortSignal;
  /** The coordinator is stopping: nobody waits any longer, the agent works on. */
  readonly stop: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
};

/**
 * Sends a command and waits for its end over disconnections. An agent that stays away too long ends it
 * as unseen, NODE_UNREACHABLE. @throws the reason of `stop`.
 */
export async function runAgentCommand(
  node: string,
  request: CommandRequest,
  { commands, clock, agentWaitMs, cancel, stop, onProgress }: AgentCommandOptions,
): Promise<CommandOutcome> {
  stop.throwIfAborted();
  let awaySince: number | null = null;
  const dispatch = commands.dispatch(node, request, onProgress, { cancelled: cancel.aborted });
  const onStop = (): void => dispatch.abandon(stop.reason);
  const onCancel = (): void => dispatch.cancel();
  const watch = setInterval(() => {
    // Said again and again: a cancel that overtakes its command finds nothing to stop.
    if (cancel.aborted) dispatch.cancel();
    const view = commands.view(node);
    if (view?.connected === true) {
      awaySince = null;
      return;
    }
    const now = clock.elapsedMs();
    if (awaySince === null) {
      awaySince = now;
      onProgress({
        doneBytes: null,
        totalBytes: null,
        bytesPerSecond: null,
        note: `waits for the agent of ${node} to come back (at most ${Math.round(agentWaitMs / 1000)} s)`,
      });
    }
    if (now - awaySince > agentWaitMs) dispatch.abandon(stayedAway(node, now - awaySince));
  }, 500);
  stop.addEventListener("abort", onStop, { once: true });
  cancel.addEventListener("abort", onCancel, { once: true });
  try {
    return await dispatch.ended;
  } catch (error) {
    if (stop.aborted || !(error instanceof Failure)) throw error;
    return {
      outcome: "unseen",
      failure: {
        code: error.code,
        message: error.message,
        hint: error.hint ?? null,
        evidence: [],
        retryable: false,
      },
    };
  } finally {
    clearInterval(watch);
    stop.removeEventListener("abort", onStop);
    cancel.removeEventListener("abort", onCancel);
  }
}

function stayedAway(node: string, awayMs: number): Failure {
  return new Failure(
    "NODE_UNREACHABLE",
    `The agent of ${node} stayed away for ${Math.round(awayMs / 1000)} s in the middle of a step.`,
    { hint: `on ${node}: systemctl status castellan-agent` },
  );
}
