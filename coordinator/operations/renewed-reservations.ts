import type { RuleClass } from "#shared/domain/guard.ts";
import type { CoordinatorMessage } from "#shared/protocol/messages.ts";

export type Reserve = Extract<CoordinatorMessage, { type: "reserve" }>;

/** What a step, or a whole operation, keeps the guards of its nodes from, for as long as it lasts. */
export type RenewedReservations = {
  /** From now on, with what was reserved there before. */
  add(node: string, classes: readonly RuleClass[]): void;
  /** Not renewed any more; given back at once where it is over, else kept until it runs out, for another try. */
  end(isOver: boolean): void;
};

/** Of a coordinator that is gone, or can't be heard, nothing stays reserved for longer. */
const forMs = 15_000;
const everyMs = 5_000;

export function createRenewedReservations(
  operationId: string,
  tell: (node: string, message: Reserve) => void,
): RenewedReservations {
  const reserved = new Map<string, ReadonlySet<RuleClass>>();
  const tellAll = (lasting: number): void => {
    for (const [node, classes] of reserved) {
      tell(node, { type: "reserve", operationId, classes: [...classes], forMs: lasting });
    }
  };
  const renewal = setInterval(() => tellAll(forMs), everyMs);
  return {
    add: (node, added) => {
      const classes = new Set([...(reserved.get(node) ?? []), ...added]);
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
