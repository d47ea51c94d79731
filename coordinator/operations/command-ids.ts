import type { CommandPhase } from "#shared/domain/commands.ts";

/**
 * Id of the command for one attempt of a step: after a coordinator's restart the same one is sent again. After a
 * restore of the journal it is not: an answer that an agent has kept tells of a world that this journal has missed.
 */
export function commandId(
  operation: { readonly id: string; readonly restores: number },
  stepIndex: number,
  phase: CommandPhase,
  attempt: number,
): string {
  const life = operation.restores === 0 ? "" : `.${operation.restores}`;
  return `${operation.id}${life}/${stepIndex}/${phase}/${attempt}`;
}
