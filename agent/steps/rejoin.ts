import { Failure } from "#shared/errors.ts";
import { rejoinRecord } from "../guard/rejoin/record.ts";
import { receiverProblem } from "../guard/streaming.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { follow, rejoinNoted } from "./follow.ts";
import { forgetEdits, notedEdits } from "./noted-edits.ts";
import type { ChangeStep } from "./step.ts";

/** What the guard does by itself where `guard.rejoin` lets it: a person asks for it, whatever that says. */
export const rejoin: ChangeStep<"rejoin"> = {
  ...follow,
  apply: rejoinNoted,
  undo: async (to, context) => {
    const guard = asGuardStep(context);
    const { node } = context.settings;
    // Half rewound nothing may start on it, and no rewind is taken back.
    const isBegun = (await rejoinRecord(guard)) !== null;
    if (isBegun || (await receiverProblem(to, guard).catch(() => "no session")) === null) {
      throw new Failure("PAST_RETURN", `the rejoin of ${node} has begun: it only goes on`);
    }
    const files = await notedEdits(context);
    await forgetEdits(context);
    return evidence([`nothing was rewound on ${node}`], { files });
  },
};
