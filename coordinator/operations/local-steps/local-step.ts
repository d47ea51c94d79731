import type {
  CommandArgs,
  CommandKind,
  CommandPhase,
  CommandResult,
  Evidence,
  Progress,
} from "#shared/domain/commands.ts";
import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/time.ts";
import type { ClusterFiles } from "../../ports.ts";
import type { CoordinatorStep, CoordinatorStepKind } from "../plan.ts";

/** What a step of the coordinator itself gets from the runner. */
export type LocalStepContext = {
  readonly operationId: string;
  readonly stepId: string;
  readonly cluster: string;
  /** The journal has seen its run succeed. */
  readonly wasDone: boolean;
  /** Aborted when the operation is, or when the coordinator stops. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  readonly clusterFiles: ClusterFiles;
  readonly progress: (progress: Progress) => void;
  /**
   * A command to one agent as part of this step, always under an id that was never sent before; waits over
   * disconnections. Answers the kind's result (Evidence for `undo`). @throws Failure of the agent.
   */
  readonly command: <K extends CommandKind>(
    node: string,
    kind: K,
    args: CommandArgs<K>,
    phase?: CommandPhase,
  ) => Promise<CommandResult<K>>;
};

export type LocalStepArgs<K extends CoordinatorStepKind> = Extract<
  CoordinatorStep,
  { readonly kind: K }
>["args"];

/** Both parts can run twice: after a crash a step is run (or taken back) again from its beginning. */
export type LocalStep<K extends CoordinatorStepKind> = {
  readonly run: (args: LocalStepArgs<K>, context: LocalStepContext) => Promise<Evidence>;
  readonly undo: (args: LocalStepArgs<K>, context: LocalStepContext) => Promise<Evidence>;
};

/** A missing or misspelt local step is a compile error. */
export type LocalSteps = { readonly [K in CoordinatorStepKind]: LocalStep<K> };
