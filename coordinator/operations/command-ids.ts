import type { CommandPhase } from "#shared/domain/commands.ts";

/** Id of the command for one attempt of a step: after a coordinator's restart the same one is sent again. */
export function commandId(
  operationId: string,
  stepIndex: number,
  phase: CommandPhase,
  attempt: number,
): string {
  return `${operationId}/${stepIndex}/${phase}/${attempt}`;
}
