import { rejoin as rejoinAsGuard } from "../guard/steps/rejoin.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { follow } from "./follow.ts";
import { notingFiles } from "./noted-edits.ts";
import type { ChangeStep } from "./step.ts";

/** What the guard does by itself where `guard.rejoin` lets it: a person asks for it, whatever that says. */
export const rejoin: ChangeStep<"rejoin"> = {
  ...follow,
  apply: async (to, context) => {
    const guard = asGuardStep({ ...context, files: notingFiles(context) });
    await rejoinAsGuard({ do: "rejoin", ...to }, guard);
  },
};
