import { waitFor } from "#test/harness/wait-for.ts";
import type { OperationState } from "#shared/domain/operation.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { TestCoordinator } from "./test-coordinator.ts";

/** The operation once it has reached this state. */
export async function settled(
  { core }: Pick<TestCoordinator, "core">,
  id: string,
  state: OperationState,
): Promise<OperationRecord> {
  return waitFor(
    () => {
      const found = core.ports.store.operation(id);
      return found?.state === state && found;
    },
    { what: `operation in state ${state}` },
  );
}

/** `create-slot/srv127 run`: what the agent was told, in order. */
export function told(agent: {
  readonly commands: readonly { readonly stepId: string; readonly phase: string }[];
}): readonly string[] {
  return agent.commands.map((command) => `${command.stepId} ${command.phase}`);
}
