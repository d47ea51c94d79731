import type { StepContext } from "#agent/ports.ts";
import type { ChangeStep } from "#agent/steps/step.ts";
import type { CommandArgs, CommandResult, UndoableKind } from "#shared/domain/commands.ts";

/** Phase run as the agent does it: check, else apply and verify. */
export async function runStep<K extends UndoableKind>(
  step: ChangeStep<K>,
  args: CommandArgs<K>,
  agent: StepContext,
): Promise<CommandResult<K>> {
  const found = await step.check(args, agent);
  if (found !== null) return found;
  await step.apply(args, agent);
  return step.verify(args, agent);
}
