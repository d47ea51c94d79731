import { isUndoable } from "#shared/domain/commands.ts";
import type { FailureRecord } from "#shared/domain/operation.ts";
import type { OperationRecord, StepRecord } from "../store/store.ts";
import { leftoverOf } from "./leftovers.ts";
import type { RunPorts } from "./run-ports.ts";
import { performStep } from "./perform-step.ts";
import { executeStep, isOutOfSight, type StepSignals } from "./step-execution.ts";

/**
 * Takes back every step that was ever started, last first. A step that can't be taken back does not
 * keep the earlier ones from it: less is left behind that way. The one that says who leads does: what is before it may
 * belong to the new primary. Answers null, or what is left and how to remove it by hand; PAST_RETURN where the operation
 * has to go on.
 */
export async function runUndo(
  ports: RunPorts,
  operation: OperationRecord,
  signals: StepSignals,
): Promise<FailureRecord | null> {
  const left: { readonly index: number; readonly failure: FailureRecord }[] = [];
  const away = new Set<string>();
  // The abort that began the undo is not meant for it. One for each undo: what is composed of it stays noted in it.
  const never = new AbortController().signal;
  for (const record of operation.steps.toReversed()) {
    const step = operation.plan.steps[record.index];
    if (step === undefined || record.attempt === 0 || record.state === "undone") continue;
    // An agent that stayed away once in this rollback is not waited for again, step by step.
    const patient = step.on === null || !away.has(step.on);
    const limits = patient ? ports.limits : { ...ports.limits, agentWaitMs: 1_000 };
    const own = { ...ports, limits };
    if (isOutOfSight(record)) {
      const unseen = await endRun(own, operation, record, signals);
      if (unseen !== null && step.on !== null) {
        away.add(step.on);
        if (isUndoable(step.kind)) {
          // Stays out of sight: the next abort first makes sure that nothing is at work any more.
          left.push({ index: record.index, failure: unseen });
          continue;
        }
      }
    }
    if (step.on !== null && !isUndoable(step.kind)) {
      // It only looked: there is nothing to take back.
      ports.store.setStep(operation.id, record.index, { state: "undone" });
      ports.onChange(operation.id);
      continue;
    }
    const failure = await executeStep(own, operation.id, record.index, "undo", {
      cancel: never,
      stop: signals.stop,
    });
    if (failure === null) continue;
    if (failure.code === "PAST_RETURN") {
      const evidence = { alreadyDone: false, lines: [failure.message], files: [] };
      ports.store.setStep(operation.id, record.index, { state: "failed", evidence });
      return failure;
    }
    left.push({ index: record.index, failure });
    if (step.on !== null && failure.code === "NODE_UNREACHABLE") away.add(step.on);
    if (step.kind === "promote" || step.kind === "hand-over") break;
  }
  return left.length === 0 ? null : describeLeft(operation, left);
}

/**
 * The agent may still be at work on the step (the coordinator was restarted, the link was cut): it is told
 * to stop, and its end awaited, before anything is taken back. Answers the failure when no end was seen.
 */
async function endRun(
  ports: RunPorts,
  operation: OperationRecord,
  record: StepRecord,
  { stop }: StepSignals,
): Promise<FailureRecord | null> {
  const step = operation.plan.steps[record.index];
  if (step === undefined || step.on === null) return null;
  const attempt = { index: record.index, phase: "run", attempt: record.attempt } as const;
  const signals = { cancel: AbortSignal.abort(), stop };
  const end = await performStep(ports, operation, step, attempt, signals, (progress) =>
    ports.onProgress(operation.id, step.id, progress),
  );
  const endedAt = end.outcome === "unseen" ? null : ports.clock.now();
  ports.store.setStep(
    operation.id,
    record.index,
    end.outcome === "done"
      ? { state: "done", evidence: end.result, endedAt }
      : { state: "failed", failure: end.failure, endedAt },
  );
  return end.outcome === "unseen" ? end.failure : null;
}

function describeLeft(
  operation: OperationRecord,
  left: readonly { readonly index: number; readonly failure: FailureRecord }[],
): FailureRecord {
  const lines = left.flatMap(({ index, failure }) => {
    const step = operation.plan.steps[index];
    if (step === undefined) return [];
    const byHand = leftoverOf(step, operation.plan.declaration.product);
    return [`${step.id}: ${failure.message}`, ...(byHand === null ? [] : [`  left on ${byHand}`])];
  });
  const names = left.map(({ index }) => operation.plan.steps[index]?.id ?? String(index));
  return {
    code: "OPERATION_NEEDS_ATTENTION",
    message: `Could not take back ${names.join(", ")}.`,
    hint: `mend the cause and run: castellan operation abort ${operation.id} (what is done is not done again). What you take back by hand, as listed, counts as taken back when you run it then`,
    evidence: lines,
    retryable: false,
  };
}
