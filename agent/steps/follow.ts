import type { CommandArgs } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { keptFiles } from "../guard/rejoin/kept-files.ts";
import { rejoinRecord } from "../guard/rejoin/record.ts";
import { rejoin } from "../guard/steps/rejoin.ts";
import { repoint } from "../guard/steps/repoint.ts";
import { receiverProblem } from "../guard/streaming.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { hashOf } from "./own-file.ts";
import { notedEdits, noteEdit, notingFiles } from "./noted-edits.ts";
import { findPostmaster } from "./postmaster.ts";
import type { ChangeStep } from "./step.ts";

/** What the guard does for a standby, or a former primary, that is left behind; asked for by an operation. */
export const follow: ChangeStep<"follow"> = {
  check: async (to, context) => {
    const guard = asGuardStep(context);
    const problem = await receiverProblem(to, guard).catch(() => "no session");
    // A rejoin that was cut off streams before its end.
    if (problem !== null || (await rejoinRecord(guard)) !== null) return null;
    return evidence([followed(to)], { alreadyDone: true, files: await notedEdits(context) });
  },
  apply: async (to, context) => {
    const guard = asGuardStep({ ...context, files: notingFiles(context) });
    const runs = (await findPostmaster(context.settings.paths.dataDirectory, context)) !== null;
    const isBegun = (await rejoinRecord(guard)) !== null;
    crashPoint("step:following");
    if (runs && !isBegun) await repoint({ do: "repoint", ...to }, guard);
    else await rejoinNoted(to, context);
  },
  verify: async (to, context) => {
    const problem = await receiverProblem(to, asGuardStep(context));
    if (problem === null) return evidence([followed(to)], { files: await notedEdits(context) });
    throw new Failure("VERIFICATION_FAILED", problem, { retryable: true });
  },
  undo: (to) => Promise.resolve(evidence([`whom it follows (${to.node}) is left as it is`])),
};

/** A rewind changes files before this step does: what stood there before it is what was accepted. */
export async function rejoinNoted(to: CommandArgs<"follow">, context: StepContext): Promise<void> {
  const guard = asGuardStep({ ...context, files: notingFiles(context) });
  if ((await rejoinRecord(guard)) === null) {
    for (const { path, text } of await keptFiles(guard)) {
      await noteEdit(path, { from: hashOf(text), hash: hashOf(text) }, context);
    }
  }
  await rejoin({ do: "rejoin", ...to }, guard);
}

function followed({ node, host, port }: { node: string; host: string; port: number }): string {
  return `streams from ${node} (${host}:${port})`;
}
