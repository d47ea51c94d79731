import { evidence } from "./evidence.ts";
import { heldDoor, openDoor, shutDoor } from "./pool-door.ts";
import { ownPool } from "./pool-place.ts";
import type { ChangeStep } from "./step.ts";

/** Where it can't be held this is no failure: the plain way stays, and the result says why. */
export const holdDoor: ChangeStep<"hold-door"> = {
  // A door that is held already is shut anew: what is left of its time is not enough to rely on.
  check: () => Promise.resolve(null),
  apply: async ({ ports, forMs }, context) => {
    ownPool(context);
    await shutDoor(context, ports, forMs);
  },
  verify: ({ ports, forMs }, { operationId }) => {
    const door = heldDoor(operationId);
    const reason = door === null ? "the door opened meanwhile" : door.refusal;
    const where = `port ${ports.join(", ")}`;
    const line =
      reason === null
        ? `clients' data to ${where} waits, for ${forMs} ms at the most`
        : `the door at ${where} is not held: ${reason}`;
    const preparedMs = door?.preparedMs ?? 0;
    return Promise.resolve({ ...evidence([line]), held: reason === null, reason, preparedMs });
  },
  undo: async (_args, { operationId }) => {
    const answer = await openDoor(operationId);
    return evidence([answer ?? "no door was held"], { alreadyDone: answer === null });
  },
};
