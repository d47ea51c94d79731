import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { Store } from "../../store/store.ts";
import { isOfPrimary } from "../changes-roles.ts";
import type { DrillEvidence } from "../drill/report.ts";
import { attachPool } from "./attach-pool.ts";
import type { LocalStep, LocalStepArgs, LocalStepContext } from "./local-step.ts";
import { replacementOf, type Replacement } from "./replacement.ts";

type Args = LocalStepArgs<"drill">;
type Journal = Pick<Store, "operation" | "operations">;

/** Nothing of it is tried again: what is measured is one fault, and one that was made already can't be measured. */
export function createDrill(journal: Journal): LocalStep<"drill"> {
  return {
    run: async (args, context) => {
      const { client, pool, node } = args;
      const replaced = isOfPrimary(args) ? await replacementOf(journal, context) : null;
      if (replaced !== null) {
        const dropped = await context.command(client, "run-load", { pool, forMs: 1 }, "undo");
        const line = `${replaced.leader} leads instead of ${node}; what clients felt was not measured to its end`;
        return { alreadyDone: false, lines: [line, ...dropped.lines], files: [] };
      }
      if (wasBegun(journal, context)) {
        throw new Failure("INTERRUPTED", "the coordinator ended in the middle of it: it is not measured a second time"); // prettier-ignore
      }
      try {
        return await measure(args, context, journal);
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
    undo: async (args, context) => {
      const { node, fault, client, pool, attachment, stallMs } = args;
      const { command } = context;
      const replaced = isOfPrimary(args) ? await replacementOf(journal, context) : null;
      if (replaced !== null) {
        throw new Failure("PAST_RETURN", `${replaced.leader} leads instead of ${node}: nobody takes that back`); // prettier-ignore
      }
      const started = await command(node, fault, { stallMs }, "undo");
      crashPoint("step:drill-fault-undone");
      if (attachment !== undefined) await attachPool.run(attachment, context);
      const dropped = await command(client, "run-load", { pool, forMs: 1 }, "undo");
      const lines = [...started.lines.map((line) => `${node}: ${line}`), ...dropped.lines];
      return { alreadyDone: false, lines, files: [] };
    },
  };
}

function wasBegun(journal: Journal, { operationId, stepId }: LocalStepContext): boolean {
  const operation = journal.operation(operationId);
  const index = operation?.plan.steps.findIndex(({ id }) => id === stepId) ?? -1;
  return (operation?.steps[index]?.attempt ?? 0) > 1;
}

async function measure(
  args: Args,
  context: LocalStepContext,
  journal: Journal,
): Promise<DrillEvidence> {
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
  const replaced = isOfPrimary(args) ? await assertReplaced(node, context, journal) : null;
  const { writes, reads, lost, primary } = felt;
  return {
    alreadyDone: false,
    lines: [
      `${node} was down ${Math.round(downAfterMs)} ms after the word`,
      ...(replaced === null ? [] : [`${replaced.leader} leads: ${replaced.because}`]),
      ...felt.lines,
    ],
    files: [],
    drill: { struckAt: at, writes, reads, lost, primary, because: replaced?.because ?? null },
  };
}

async function assertReplaced(
  node: string,
  context: LocalStepContext,
  journal: Journal,
): Promise<Replacement> {
  const replaced = await replacementOf(journal, context);
  if (replaced !== null) return replaced;
  throw new Failure("VERIFICATION_FAILED", `nobody took the place of ${node}`);
}

async function strike(
  { node, fault, streams, beforeMs, stallMs }: Args,
  { clock, command, signal }: LocalStepContext,
): Promise<{ readonly at: number; readonly atMs: number; readonly downAfterMs: number }> {
  await clock.sleep(beforeMs, signal);
  await Promise.all(streams.map(({ on, args }) => command(on, "prove-streaming", args)));
  const [at, atMs] = [clock.now(), clock.elapsedMs()];
  await command(node, fault, { stallMs });
  crashPoint("step:drill-struck");
  return { at, atMs, downAfterMs: clock.elapsedMs() - atMs };
}
