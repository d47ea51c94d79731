import type { CommandKind } from "#shared/domain/commands.ts";
import type { RuleClass } from "#shared/domain/guard.ts";
import { reservedClasses } from "#shared/domain/reserved-classes.ts";
import type { CoordinatorMessage } from "#shared/protocol/messages.ts";

export type Reserve = Extract<CoordinatorMessage, { type: "reserve" }>;

/** What one step keeps the guards of its nodes from, for as long as it lasts. */
export type StepReservations = {
  /** From now on, with what was reserved there before. */
  add(node: string, kind: CommandKind): void;
  /** Not renewed any more; given back at once where the step is over, else kept until it runs out, for another try. */
  end(isOver: boolean): void;
};

/** Of a coordinator that is gone, or can't be heard, nothing stays reserved for longer. */
const forMs = 15_000;
const everyMs = 5_000;

export function createStepReservations(
  operationId: string,
  tell: (node: string, message: Reserve) => void,
): StepReservations {
  const reserved = new Map<string, ReadonlySet<RuleClass>>();
  const tellAll = (lasting: number): void => {
    for (const [node, classes] of reserved) {
      tell(node, { type: "reserve", operationId, classes: [...classes], forMs: lasting });
    }
  };
  const renewal = setInterval(() => tellAll(forMs), everyMs);
  return {
    add: (node, kind) => {
      const classes = new Set([...(reserved.get(node) ?? []), ...reservedClasses[kind]]);
      if (classes.size === 0) return;
      reserved.set(node, classes);
      tell(node, { type: "reserve", operationId, classes: [...classes], forMs });
    },
    end: (isOver) => {
      clearInterval(renewal);
      if (isOver) tellAll(0);
    },
  };
}
