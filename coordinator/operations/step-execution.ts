import type { CommandPhase, Progress } from "#shared/domain/commands.ts";
import type { FailureRecord } from "#shared/domain/operation.ts";
import { crashPoint, crashScope } from "#shared/crash-point.ts";
import { failureRecord } from "#shared/failure-record.ts";
import type { CommandOutcome } from "../hub/command-board.ts";
import { afterFailure } from "./after-failure.ts";
import { brokenPremise } from "./broken-premise.ts";
import type { PlanStep } from "./plan.ts";
import type { OperationRecord, StepRecord } from "../store/store.ts";
import type { RunPorts } from "./run-ports.ts";
import { performStep } from "./perform-step.ts";

export type StepSignals = {
  /** The operation was aborted: the attempt under way is cancelled, none follows. */
  readonly cancel: AbortSignal;
  /** The coordinator is stopping: everything stays as journaled. */
  readonly stop: AbortSignal;
};

/**
 * Runs (or takes back) one step until it is done or its retries are used up, each attempt journaled
 * before and after. Answers the failure, or null when it is done. @throws the reason of `stop`.
 */
export async function executeStep(
  ports: RunPorts,
  operationId: string,
  index: number,
  phase: CommandPhase,
  signals: StepSignals,
): Promise<FailureRecord | null> {
  const { store, clock, events, limits, random } = ports;
  const { operation, step } = lookUp(ports, operationId, index);
  const words = phaseWords[phase];
  crashScope(phase, step.kind);
  const about = { operationId, node: step.on };
  const changed = (change: Partial<StepRecord>): void => {
    store.setStep(operationId, index, change);
    ports.onChange(operationId);
  };
  let failures = 0;
  let interruptions = 0;
  let attempt = firstAttempt(step, operation.steps[index], phase);
  const taken = operation.steps[index];
  let isUnseen = taken !== undefined && isOutOfSight(taken);
  for (;;) {
    const before = lookUp(ports, operationId, index).operation.steps[index];
    changed({
      state: words.working,
      attempt,
      startedAt: before?.startedAt ?? clock.now(),
      endedAt: null,
      ...(phase === "run" ? { failure: null } : {}),
    });
    events.emit("step:started", about, { step: step.id, phase, attempt });
    crashPoint(`runner:${words.event}-started`, step.kind);
    const broken =
      phase === "run" ? brokenPremise(operation, (node) => ports.commands.view(node)) : null;
    const outcome: CommandOutcome =
      broken === null
        ? await performStep(ports, operation, step, { index, phase, attempt }, signals, onProgress)
        : // What an earlier coordinator began may still be under way: an abort asks about it first.
          { outcome: isUnseen ? "unseen" : "refused", failure: failureRecord(broken) };
    isUnseen = outcome.outcome === "unseen";
    crashPoint(`runner:${words.event}-ended`, step.kind);
    if (outcome.outcome === "done") {
      changed({
        state: words.done,
        endedAt: clock.now(),
        ...(phase === "run" ? { evidence: outcome.result } : {}),
      });
      events.emit("step:done", about, { step: step.id, phase, attempt });
      crashPoint(`runner:${words.event}-done`, step.kind);
      return null;
    }
    if (outcome.outcome === "interrupted") interruptions += 1;
    else failures += 1;
    const { failure } = outcome;
    const decision = afterFailure(
      { ...outcome, unwanted: signals.cancel.aborted, failures, interruptions },
      limits,
      random(),
    );
    events.emit("step:failed", about, {
      step: step.id,
      phase,
      attempt,
      failure,
      decision: decision.rule,
    });
    if (decision.retryInMs === null) {
      const endedAt = outcome.outcome === "unseen" ? null : clock.now();
      changed({ state: words.failed, endedAt, failure });
      return failure;
    }
    if (decision.retryInMs > 0) {
      onProgress(waiting(`${failure.message} Tries again in ${decision.retryInMs} ms.`));
      await clock.sleep(decision.retryInMs, AbortSignal.any([signals.cancel, signals.stop])).catch(
        // An abort ends the wait; the next attempt is then judged as unwanted or stopped.
        () => undefined,
      );
      signals.stop.throwIfAborted();
      if (signals.cancel.aborted) {
        changed({ state: words.failed, endedAt: clock.now(), failure });
        return failure;
      }
    }
    attempt += 1;
  }

  function onProgress(progress: Progress): void {
    ports.onProgress(operationId, step.id, progress);
  }
}

const phaseWords = {
  run: { working: "started", done: "done", failed: "failed", event: "step" },
  undo: { working: "undoing", done: "undone", failed: "undo-failed", event: "undo" },
} as const satisfies Record<
  CommandPhase,
  Record<"working" | "done" | "failed", StepRecord["state"]> & { readonly event: string }
>;

function firstAttempt(step: PlanStep, record: StepRecord | undefined, phase: CommandPhase): number {
  if (record === undefined || record.attempt === 0) return 1;
  // A stored answer of a held door is worth nothing: the coordinator's own steps begin anew.
  if (step.on === null) return record.attempt + 1;
  const again = phase === "run" ? isOutOfSight(record) : record.state === "undoing";
  return again ? record.attempt : record.attempt + 1;
}

/**
 * Was it under way when the coordinator died or its agent stayed away? Then it is asked about again under
 * the same id: the agent answers with what became of it instead of doing it once more.
 */
export function isOutOfSight(record: StepRecord): boolean {
  const stayedAway = record.state === "failed" && record.endedAt === null;
  return record.state === "started" || stayedAway;
}

function lookUp(
  { store }: RunPorts,
  operationId: string,
  index: number,
): { readonly operation: OperationRecord; readonly step: PlanStep } {
  const operation = store.operation(operationId);
  const step = operation?.plan.steps[index];
  if (operation === null || step === undefined) {
    throw new Error(`${operationId} has no step ${index}`);
  }
  return { operation, step };
}

function waiting(note: string): Progress {
  return { doneBytes: null, totalBytes: null, bytesPerSecond: null, note: note.slice(0, 400) };
}
