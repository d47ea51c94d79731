import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { seeStopped } from "../guard/rejoin/stopped-server.ts";
import { startServer } from "../guard/start-standby.ts";
import { putStandbyMarker } from "../guard/steps/write-standby-marker.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { notedEdits, notingFiles } from "./noted-edits.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster } from "./postmaster.ts";
import { lookAtServer } from "./server-launch.ts";
import { stopServer } from "./server-stop.ts";
import { standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";
import type { ChangeStep } from "./step.ts";

const StartedFacts = z.object({ wasFenced: z.boolean() });

/** Of a marker only the guard's own is taken away: whoever else wrote one meant it. */
export const startPrimary: ChangeStep<"start-primary"> = {
  check: async (_args, context) => {
    const line = await lookAtServer(context.settings.paths.dataDirectory, context, "primary");
    if (line === null) return null;
    return evidence([line], { alreadyDone: true, files: await notedEdits(context) });
  },
  apply: async ({ timeline }, context) => {
    if ((await findPostmaster(context.settings.paths.dataDirectory, context)) === null) {
      const found = await seeStopped(asGuardStep(context));
      if (found.timeline !== timeline || found.state.includes("recovery")) {
        throw new Failure("REFUSED", `it is not the primary of timeline ${timeline} that was stopped: "${found.state}" on timeline ${found.timeline}`); // prettier-ignore
      }
      const wasFenced = context.guardMarks.current().fencedAt !== null;
      if ((await ownFacts(context, ledgerKey.startedPrimary, StartedFacts)) === null)
        await noteOwn(context, ledgerKey.startedPrimary, { wasFenced });
    }
    await startAsPrimary(context);
    crashPoint("step:primary-started");
  },
  verify: async (_args, context) => {
    const line = await lookAtServer(context.settings.paths.dataDirectory, context, "primary");
    if (line !== null) return evidence([line], { files: await notedEdits(context) });
    throw new Failure("VERIFICATION_FAILED", "no server answers here", { retryable: true });
  },
  undo: async ({ stallMs }, context) => {
    const { clock, guardMarks, settings } = context;
    const known = await ownFacts(context, ledgerKey.startedPrimary, StartedFacts);
    if (known === null) return evidence(["this operation started no primary here"]);
    await guardMarks.mark({
      restartingSince: null,
      stopped: { at: clock.now(), pid: null },
      ...(known.wasFenced ? { fencedAt: clock.now() } : {}),
    });
    // First: whoever starts it next, it is a standby again.
    if (known.wasFenced) await putStandbyMarker({ ...context, files: notingFiles(context) });
    await stopServer({ dataDirectory: settings.paths.dataDirectory, stallMs }, context);
    crashPoint("step:primary-stopped-again");
    await guardMarks.mark({ stopped: { at: clock.now(), pid: null } });
    await context.ledger.delete(ledgerKey.startedPrimary);
    return evidence(["the server is stopped"], { files: await notedEdits(context) });
  },
};

/** The fence of a start in the site's way leaves it alone while it is marked as the guard's own start. */
export async function startAsPrimary(context: StepContext): Promise<void> {
  const { clock, guardMarks, settings } = context;
  const { dataDirectory } = settings.paths;
  await guardMarks.mark({ restartingSince: clock.now() });
  if (guardMarks.current().fencedAt !== null) {
    const marker = standbyMarkerFile(await standbyStyleOf(dataDirectory, context));
    await notingFiles(context).remove(`${dataDirectory}/${marker}`);
  }
  crashPoint("step:starting-primary");
  await startServer("primary", asGuardStep(context));
  await guardMarks.mark({
    restartingSince: null,
    fencedAt: null,
    confirmedAt: null,
    stopped: null,
  });
}
