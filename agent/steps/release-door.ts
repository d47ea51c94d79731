import { evidence } from "./evidence.ts";
import { openDoor } from "./pool-door.ts";
import type { ChangeStep } from "./step.ts";

/** What the helper said at the release, for the command that is being executed. */
const answers = new Map<string, string>();

export const releaseDoor: ChangeStep<"release-door"> = {
  check: () => Promise.resolve(null),
  apply: async (_args, { operationId }) => {
    const answer = await openDoor(operationId);
    if (answer !== null) answers.set(operationId, answer);
  },
  verify: ({ ports }, { operationId }) => {
    const answer = answers.get(operationId);
    answers.delete(operationId);
    const where = `port ${ports.join(", ")}`;
    if (answer === undefined) {
      return Promise.resolve(evidence([`no door was held at ${where}`], { alreadyDone: true }));
    }
    const [how, ms] = answer.split(" ");
    const line =
      how === "expired"
        ? `the kernel had opened ${where} by itself: it was held too long (${ms} ms)`
        : `${where} was held for ${ms} ms`;
    return Promise.resolve(evidence([line]));
  },
  // Nothing to take back: an open door is how things are.
  undo: () => Promise.resolve(evidence([], { alreadyDone: true })),
};
