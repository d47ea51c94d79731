import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { DrillEvidence } from "../drill/report.ts";
import type { LocalStep, LocalStepArgs, LocalStepContext } from "./local-step.ts";

type Args = LocalStepArgs<"drill">;

/** Nothing of it is tried again: what is measured is one fault, and one that was made already can't be measured. */
export const drill: LocalStep<"drill"> = {
  run: async (args, context) => {
    try {
      return await measure(args, context);
    } catch (error) {
      context.signal.throwIfAborted();
      const { code, message, hint, evidence } = asFailure(error);
      throw new Failure(code, message, {
        ...(hint === undefined ? {} : { hint }),
        evidence,
        retryable: false,
      });
    }
  },
  undo: async ({ node, fault, client, pool, stallMs }, { command }) => {
    const started = await command(node, fault, { stallMs }, "undo");
    const dropped = await command(client, "run-load", { pool, forMs: 1 }, "undo");
    const lines = [...started.lines.map((line) => `${node}: ${line}`), ...dropped.lines];
    return { alreadyDone: false, lines, files: [] };
  },
};

async function measure(args: Args, context: LocalStepContext): Promise<DrillEvidence> {
  const { node, client, pool, beforeMs, afterMs } = args;
  const { clock, command } = context;
  const [load, fault] = await Promise.allSettled([
    command(client, "run-load", { pool, forMs: beforeMs + afterMs }).then((felt) => ({
      felt,
      beganAtMs: clock.elapsedMs() - felt.sinceFirstRowMs,
    })),
    strike(args, context),
  ]);
  if (fault.status === "rejected") throw fault.reason;
  if (load.status === "rejected") throw load.reason;
  const { felt, beganAtMs } = load.value;
  const { at, atMs, downAfterMs } = fault.value;
  const early = atMs - beganAtMs;
  if (early < 0 || early > beforeMs + afterMs / 2) {
    throw new Failure("VERIFICATION_FAILED", `the fault did not fall into the time in which ${client} wrote and read`); // prettier-ignore
  }
  const { writes, reads, lost, primary } = felt;
  return {
    alreadyDone: false,
    lines: [`${node} was down ${Math.round(downAfterMs)} ms after the word`, ...felt.lines],
    files: [],
    drill: { struckAt: at, writes, reads, lost, primary },
  };
}

async function strike(
  { node, fault, streams, beforeMs, stallMs }: Args,
  { clock, command, signal }: LocalStepContext,
): Promise<{ readonly at: number; readonly atMs: number; readonly downAfterMs: number }> {
  await clock.sleep(beforeMs, signal);
  await command(node, "prove-streaming", streams);
  const [at, atMs] = [clock.now(), clock.elapsedMs()];
  await command(node, fault, { stallMs });
  crashPoint("step:drill-struck");
  return { at, atMs, downAfterMs: clock.elapsedMs() - atMs };
}
