import { Failure } from "#shared/errors.ts";
import type { GuardStepContext } from "../guard/steps/step.ts";
import type { StepContext } from "../ports.ts";

/** For a command that does what the guard does by itself: the same step, from what the guard's latest look saw. */
export function asGuardStep(context: StepContext): GuardStepContext {
  const view = context.guardView();
  if (view === null) {
    throw new Failure("REFUSED", "this agent has not looked at its host yet", { retryable: true });
  }
  return {
    ...context,
    // Those that this command has made since.
    view: { ...view, marks: context.guardMarks.current() },
    decisionId: context.operationId,
    mark: (marks) => context.guardMarks.mark(marks),
  };
}
