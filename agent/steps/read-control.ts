import { seeStopped } from "../guard/rejoin/stopped-server.ts";
import { asGuardStep } from "./as-guard-step.ts";
import type { ReadStep } from "./step.ts";

export const readControl: ReadStep<"read-control"> = {
  verify: async (_args, context) => {
    const { systemIdentifier, state, timeline, checkpoint, end } = await seeStopped(
      asGuardStep(context),
    );
    return { systemIdentifier, state, timeline, checkpoint, end };
  },
};
