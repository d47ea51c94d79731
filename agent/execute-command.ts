import { commands, type CommandEnvelope, type CommandKind } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "./ports.ts";
import type { Executors } from "./steps/step.ts";

/**
 * The order of every step: is it done already? do it; read it back. Answers the kind's result. `assertWanted` has the
 * last word before an effect: a look at the world takes time, in which the world may change.
 */
export async function executeCommand(
  executors: Partial<Executors>,
  command: CommandEnvelope,
  context: StepContext,
  assertWanted: () => Promise<void>,
): Promise<unknown> {
  const { kind, phase } = command;
  const step = stepOf(executors, kind);
  const args: unknown = commands[kind].args.parse(command.args);
  if (phase === "undo") {
    if (step.undo === undefined) throw new Failure("REFUSED", `${kind} has no undo`);
    await assertWanted();
    return step.undo(args, context);
  }
  const found = await step.check?.(args, context);
  crashPoint("agent:checked", kind);
  if (found !== undefined && found !== null) return found;
  context.signal.throwIfAborted();
  if (step.apply !== undefined) {
    await assertWanted();
    await step.apply(args, context);
  }
  crashPoint("agent:applied", kind);
  context.signal.throwIfAborted();
  return step.verify(args, context);
}

type Part = (args: unknown, context: StepContext) => Promise<unknown>;
type AnyStep = {
  readonly verify: Part;
  readonly check?: Part;
  readonly apply?: Part;
  readonly undo?: Part;
};

function stepOf(executors: Partial<Executors>, kind: CommandKind): AnyStep {
  // Its parts only get arguments that the same kind's schema has parsed: TypeScript can't follow that link.
  const step = executors[kind] as AnyStep | undefined;
  if (step === undefined) throw new Failure("REFUSED", `this agent can't do ${kind}`);
  return step;
}
