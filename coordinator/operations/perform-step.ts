import type {
  CommandArgs,
  CommandKind,
  CommandPhase,
  CommandResult,
  Evidence,
  Preconditions,
  Progress,
} from "#shared/domain/commands.ts";
import { reservedClasses } from "#shared/domain/reserved-classes.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { asFailure } from "#shared/errors.ts";
import { failureOf, failureRecord } from "#shared/failure-record.ts";
import type { CommandOutcome } from "../hub/command-board.ts";
import type { OperationRecord } from "../store/store.ts";
import { runAgentCommand } from "./agent-command.ts";
import { commandId } from "./command-ids.ts";
import type { LocalStepContext, LocalSteps } from "./local-steps/local-step.ts";
import type { AgentStep, PlanStep } from "./plan.ts";
import type { RunPorts } from "./run-ports.ts";
import { createRenewedReservations } from "./renewed-reservations.ts";
import type { StepSignals } from "./step-execution.ts";

export type Attempt = {
  readonly index: number;
  readonly phase: CommandPhase;
  readonly attempt: number;
};

/** One attempt of a step: one command to its agent, or the coordinator's own code. @throws the reason of `stop`. */
export async function performStep(
  ports: RunPorts,
  operation: OperationRecord,
  step: PlanStep,
  attempt: Attempt,
  signals: StepSignals,
  onProgress: (progress: Progress) => void,
): Promise<CommandOutcome> {
  const reservations = createRenewedReservations(operation.id, ports.reserve);
  let isOver = false;
  try {
    // What the operation holds from its start to its end is not given back with a step.
    const held = new Map(operation.plan.reserves?.map(({ node, classes }) => [node, classes]));
    const reserve = (node: string, kind: CommandKind): void =>
      reservations.add(
        node,
        reservedClasses[kind].filter((each) => held.get(node)?.includes(each) !== true),
      );
    const outcome = await perform(ports, operation, step, attempt, signals, onProgress, reserve);
    isOver = outcome.outcome === "done";
    return outcome;
  } finally {
    reservations.end(isOver);
  }
}

async function perform(
  ports: RunPorts,
  operation: OperationRecord,
  step: PlanStep,
  attempt: Attempt,
  signals: StepSignals,
  onProgress: (progress: Progress) => void,
  reserve: (node: string, kind: CommandKind) => void,
): Promise<CommandOutcome> {
  const id = commandId(operation, attempt.index, attempt.phase, attempt.attempt);
  const send = (
    node: string,
    kind: CommandKind,
    args: unknown,
    phase: CommandPhase,
    suffix: string,
    preconditions: Preconditions,
  ): Promise<CommandOutcome> => {
    reserve(node, kind);
    return runAgentCommand(
      node,
      {
        id: `${id}${suffix}`,
        operationId: operation.id,
        stepId: step.id,
        kind,
        phase,
        args,
        preconditions,
      },
      {
        commands: ports.commands,
        clock: ports.clock,
        agentWaitMs: ports.limits.agentWaitMs,
        cancel: signals.cancel,
        stop: signals.stop,
        onProgress,
      },
    );
  };
  if (isAgentStep(step)) {
    // What undo takes back is what the ledger says is ours, whatever became of the node's role since.
    const preconditions = attempt.phase === "undo" ? noPreconditions : step.preconditions;
    return send(step.on, step.kind, step.args, attempt.phase, "", preconditions);
  }
  let sent = 0;
  const command = async <K extends CommandKind>(
    node: string,
    kind: K,
    args: CommandArgs<K>,
    phase: CommandPhase = "run",
  ): Promise<CommandResult<K>> => {
    sent += 1;
    const outcome = await send(node, kind, args, phase, `/${sent}`, noPreconditions);
    // In the middle of a step of our own: part of what it commands is done.
    crashPoint("runner:command-ended", kind, phase);
    if (outcome.outcome !== "done") {
      // The step itself is on no node: nobody else says which one it was.
      throw failureOf({ ...outcome.failure, message: `${node}: ${outcome.failure.message}` });
    }
    return outcome.result as CommandResult<K>; // validated against the kind's schema on arrival
  };
  return performLocalStep(ports.localSteps, step, attempt.phase, {
    operationId: operation.id,
    stepId: step.id,
    cluster: operation.cluster,
    wasDone: (operation.steps[attempt.index]?.evidence ?? null) !== null,
    signal: AbortSignal.any([signals.cancel, signals.stop]),
    clock: ports.clock,
    log: ports.log,
    clusterFiles: ports.clusterFiles,
    progress: onProgress,
    command,
  }).catch((error: unknown): CommandOutcome => {
    if (signals.stop.aborted) throw error;
    return { outcome: "failed", failure: failureRecord(asFailure(error)) };
  });
}

async function performLocalStep(
  localSteps: LocalSteps,
  step: Exclude<PlanStep, AgentStep>,
  phase: CommandPhase,
  context: LocalStepContext,
): Promise<CommandOutcome> {
  const executor = localSteps[step.kind] as {
    // Kind and arguments belong together in the plan; TypeScript can't follow both through the union.
    readonly [P in CommandPhase]: (args: unknown, context: LocalStepContext) => Promise<Evidence>;
  };
  return { outcome: "done", result: await executor[phase](step.args, context) };
}

function isAgentStep(step: PlanStep): step is PlanStep & AgentStep {
  return step.on !== null;
}

const noPreconditions: Preconditions = { systemIdentifier: null, role: null, timeline: null };
