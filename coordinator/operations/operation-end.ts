import { Evidence } from "#shared/domain/commands.ts";
import type { FailureRecord, OperationState } from "#shared/domain/operation.ts";
import type { OperationRecord, StepRecord } from "../store/store.ts";
import { leftoverOf } from "./leftovers.ts";
import type { PlanStep } from "./plan.ts";

/** One line to type, and what it does. */
export type Choice = { readonly command: string; readonly does: string };

/** How an operation stands, for somebody who was woken by it: cause, evidence, what was undone, what needs a hand. */
export type OperationEnd = {
  readonly state: OperationState;
  /** One sentence. */
  readonly means: string;
  /** The step that failed, if one did. */
  readonly step: { readonly id: string; readonly title: string; readonly attempts: number } | null;
  readonly cause: FailureRecord | null;
  readonly undone: readonly string[];
  readonly byHand: readonly {
    readonly step: string;
    readonly why: string;
    readonly what: string;
  }[];
  readonly choices: readonly Choice[];
};

export function operationEnd(operation: OperationRecord): OperationEnd {
  const steps = operation.plan.steps.flatMap((step, index) => {
    const record = operation.steps[index];
    return record === undefined ? [] : [{ step, record }];
  });
  const failed =
    steps.find(({ record }) => record.state === "failed") ??
    steps.find(({ record }) => record.failure !== null && record.state !== "undo-failed");
  return {
    state: operation.state,
    means: meaningOf(operation),
    step: failed === undefined || isHeld(operation) ? null : { ...about(failed.step), attempts: failed.record.attempt }, // prettier-ignore
    cause: causeOf(operation, failed?.record ?? null),
    undone: steps
      .filter(({ record }) => record.state === "undone")
      // The others only looked.
      .filter(({ step }) => leftoverOf(step, operation.plan.declaration.product) !== null)
      .map(({ step }) => step.title),
    byHand: steps
      .filter(({ record }) => record.state === "undo-failed" || isUnseen(operation, record))
      .flatMap(({ step, record }) => {
        const what = leftoverOf(step, operation.plan.declaration.product);
        return what === null
          ? []
          : [{ step: step.id, why: record.failure?.message ?? "not taken back", what }];
      }),
    choices: choicesOf(operation),
  };
}

/** Waits since its journal was restored, and was not taken up again: the journal has missed what was done since. */
function isHeld({ state, restores, failure, steps }: OperationRecord): boolean {
  return (
    state === "paused" &&
    restores > 0 &&
    failure?.code === "INTERRUPTED" &&
    steps.every((step) => step.state === "pending")
  );
}

/**
 * Its journal was restored while it was under way: what it made may be in use, also after it was taken up again.
 * Not when it is being taken back: that was asked for.
 */
export function mayBeInUse({
  state,
  restores,
}: Pick<OperationRecord, "state" | "restores">): boolean {
  return restores > 0 && (state === "planned" || state === "running" || state === "paused");
}

/** Its step of no return is done, or was found done by the undo: there is nothing to go back to. */
export function isPastReturn({ plan, steps }: Pick<OperationRecord, "plan" | "steps">): boolean {
  const index = plan.steps.findIndex(({ id }) => id === plan.noReturn);
  return (steps[index]?.evidence ?? null) !== null;
}

/** What can be typed now. */
export function choicesOf(operation: OperationRecord): readonly Choice[] {
  const { id, state, subject, kind, cluster } = operation;
  const type = (words: string, does: string): Choice => ({ command: `castellan ${words}`, does });
  const look = type("status", `is ${subject} a node in use?`);
  const resume = type(
    `operation resume ${id}`,
    isHeld(operation)
      ? "look at every step again and do what is missing"
      : "go on where it was, after the cause is mended",
  );
  const abort = mayBeInUse(operation)
    ? type(
        `operation abort ${id} --after-restore`,
        `take back everything that it made, the database of ${subject} included`,
      )
    : type(`operation abort ${id}`, "take back everything that it made");
  const leave = type(`operation abort ${id} --leave`, "end it; what it made on the hosts stays");
  switch (state) {
    case "paused":
      if (isPastReturn(operation)) return [resume, leave];
      return mayBeInUse(operation) ? [look, resume, leave, abort] : [resume, abort];
    case "needs-attention":
      return [
        type(`operation abort ${id}`, "try the undo again; what is done is not done again"),
        type(
          `operation abort ${id} --leave`,
          "only if a host is gone for good: end it all the same",
        ),
      ];
    case "planned":
    case "running":
    case "rolling-back":
      return [
        type(`operation watch ${id}`, "look on"),
        ...(state === "rolling-back" || isPastReturn(operation) ? [] : [abort]),
      ];
    case "succeeded":
    case "rolled-back":
    case "cancelled":
      return [
        kind === "revert-file"
          ? type(`drift list ${cluster}`, "what is not as accepted, or waits for a restart")
          : type("status", "the cluster as it is now"),
      ];
  }
}

function meaningOf(operation: OperationRecord): string {
  const { state, subject, cluster, failure } = operation;
  switch (state) {
    case "planned":
      return "It is about to begin.";
    case "running":
      return "It is under way.";
    case "rolling-back":
      return "What it made is being taken back.";
    case "succeeded":
      return successOf(operation);
    case "cancelled":
      return "It was cancelled before anything was touched.";
    case "paused":
      return isHeld(operation)
        ? `It waits for you: whether ${subject} became a node of ${cluster} since is not in this journal.`
        : "A step failed; nothing more happens by itself.";
    case "needs-attention":
      return failure?.code === "INTERRUPTED"
        ? "It was being taken back when its journal was saved; the rest waits for you."
        : "Not everything could be taken back; the rest waits for you.";
    case "rolled-back":
      return operation.steps.some((step) => step.state !== "undone" && step.attempt > 0)
        ? "It was ended by an operator; what is listed below was left."
        : "Everything that it made was taken back.";
  }
}

function successOf({ kind, subject, cluster, steps }: OperationRecord): string {
  switch (kind) {
    case "add-node":
      return `${subject} is a node of ${cluster}.`;
    case "pool-prepare":
      return `Every pool of ${cluster} has the row of ${subject}.`;
    case "guard-takeover":
      return `The guards of ${cluster} are in charge.`;
    case "guard-handback":
      return `The guards of ${cluster} only observe; the vendor's checks are as they were.`;
    case "switchover":
    case "failover":
      return `${subject} is the primary of ${cluster}.`;
    case "rebuild-node":
      return `${subject} is a standby of ${cluster}, copied anew.`;
    case "rejoin-node":
      return `${subject} is a standby of ${cluster} again.`;
    case "cluster-stop":
      return `${cluster} is stopped, and stays so until castellan cluster start.`;
    case "cluster-start":
      return `What could be started of ${cluster} runs.`;
    case "cluster-restart":
      return `Every database of ${cluster} was started anew.`;
    case "remove-node":
      return `${subject} is no node of ${cluster} any more.`;
    case "drill":
      return `The drill of ${subject} is over: castellan drill show.`;
    case "revert-file":
      return `${[`The file on ${subject} is as accepted`, ...afterRevert(steps[0])].join("; ")}.`;
  }
}

/** Its first line says that the file is as accepted, the others what has not read it yet. */
function afterRevert(step: StepRecord | undefined): readonly string[] {
  return Evidence.safeParse(step?.evidence).data?.lines.slice(1) ?? [];
}

/** A rollback's own failure names what is left; what began it stands with the step that failed. */
function causeOf(operation: OperationRecord, failed: StepRecord | null): FailureRecord | null {
  const { failure } = operation;
  if (failure?.code !== "OPERATION_NEEDS_ATTENTION") return failure ?? failed?.failure ?? null;
  return failed?.failure ?? failure;
}

function isUnseen({ state }: OperationRecord, record: StepRecord): boolean {
  const isOver = state === "needs-attention" || state === "rolled-back";
  return isOver && record.state === "failed" && record.attempt > 0;
}

function about({ id, title }: PlanStep): { readonly id: string; readonly title: string } {
  return { id, title };
}
