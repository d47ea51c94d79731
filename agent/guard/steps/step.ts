import type { GuardStep } from "#shared/domain/guard.ts";
import type { GuardMarks, GuardView } from "../../decide/view.ts";
import type { Ports } from "../../ports.ts";

/** What a step of the guard may use. */
export type GuardStepContext = Ports & {
  /** The view that the step was decided from. */
  readonly view: GuardView;
  readonly decisionId: string;
  readonly signal: AbortSignal;
  readonly mark: (marks: Partial<GuardMarks>) => Promise<void>;
};

type StepOf<D extends GuardStep["do"]> = Extract<GuardStep, { readonly do: D }>;

/**
 * Does one step of the guard: looks whether it is so already, makes it so, reads it back. Can run twice. Answers what was
 * read back, in one line. @throws Failure for expected trouble; the guard tries again later, as often as its limits admit
 */
export type GuardExecutor<D extends GuardStep["do"]> = (
  step: StepOf<D>,
  context: GuardStepContext,
) => Promise<string>;

/** A missing or misspelt executor is a compile error. */
export type GuardExecutors = { readonly [D in GuardStep["do"]]: GuardExecutor<D> };
