import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { rejoinRecord } from "../guard/rejoin/record.ts";
import { rejoin } from "../guard/steps/rejoin.ts";
import { repoint } from "../guard/steps/repoint.ts";
import { receiverProblem } from "../guard/streaming.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { notedEdits, notingFiles } from "./noted-edits.ts";
import { findPostmaster } from "./postmaster.ts";
import type { ChangeStep } from "./step.ts";

/** What the guard does for a standby, or a former primary, that is left behind; asked for by an operation. */
export const follow: ChangeStep<"follow"> = {
  check: async (to, context) => {
    const problem = await receiverProblem(to, asGuardStep(context)).catch(() => "no session");
    if (problem !== null) return null;
    return evidence([followed(to)], { alreadyDone: true, files: await notedEdits(context) });
  },
  apply: async (to, context) => {
    const guard = asGuardStep({ ...context, files: notingFiles(context) });
    const runs = (await findPostmaster(context.settings.paths.dataDirectory, context)) !== null;
    const isBegun = (await rejoinRecord(guard)) !== null;
    crashPoint("step:following");
    if (runs && !isBegun) await repoint({ do: "repoint", ...to }, guard);
    else await rejoin({ do: "rejoin", ...to }, guard);
  },
  verify: async (to, context) => {
    const problem = await receiverProblem(to, asGuardStep(context));
    if (problem === null) return evidence([followed(to)], { files: await notedEdits(context) });
    throw new Failure("VERIFICATION_FAILED", problem, { retryable: true });
  },
  undo: (to) => Promise.resolve(evidence([`whom it follows (${to.node}) is left as it is`])),
};

function followed({ node, host, port }: { node: string; host: string; port: number }): string {
  return `streams from ${node} (${host}:${port})`;
}
