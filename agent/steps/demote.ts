import * as z from "zod";
import type { CommandResult, Evidence } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { isCleanlyStopped, seeStopped } from "../guard/rejoin/stopped-server.ts";
import { startStandby } from "../guard/start-standby.ts";
import { openAsPrimary } from "../guard/steps/open-as-primary.ts";
import { putStandbyMarker } from "../guard/steps/write-standby-marker.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { forgetEdits, notedEdits, notingFiles } from "./noted-edits.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster } from "./postmaster.ts";
import { flag } from "./row-values.ts";
import { stopServer } from "./server-stop.ts";
import { standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";
import type { ChangeStep } from "./step.ts";

const DemotedFacts = z.object({
  /** The virtual address was here. */
  hadAddress: z.boolean(),
});

/** The marker goes first: whoever starts the server from then on starts a standby. */
export const demote: ChangeStep<"demote"> = {
  check: async (_args, context) =>
    (await isDemoted(context)) ? report(context, { alreadyDone: true }) : null,
  apply: async ({ stallMs }, context) => {
    const { databases, guardMarks, rootHelper, settings } = context;
    const { dataDirectory } = settings.paths;
    const known = await ownFacts(context, ledgerKey.demoted, DemotedFacts);
    if (known === null) {
      await assertPrimary(context);
      // While clients still write: the fast stop has then little left to write.
      await databases.own.query("CHECKPOINT");
      await noteOwn(context, ledgerKey.demoted, { hadAddress: await hasAddress(context) });
    }
    await guardMarks.mark({ fencedAt: context.clock.now() });
    await putStandbyMarker({ ...context, files: notingFiles(context) });
    crashPoint("step:demotion-marked");
    if ((await findPostmaster(dataDirectory, context)) === null) return;
    if ((await rootHelper.verbs()).includes("vip-drop")) await rootHelper.run("vip-drop");
    crashPoint("step:address-dropped");
    await stopServer({ dataDirectory, stallMs }, context);
    crashPoint("step:primary-stopped");
  },
  verify: (_args, context) => report(context),
  undo: async ({ stallMs, isSole }, context) => {
    const known = await ownFacts(context, ledgerKey.demoted, DemotedFacts);
    if (known === null) {
      return evidence(["this operation demoted nobody here"], { files: await goneMarker(context) });
    }
    const line = (await stillRuns(stallMs, context))
      ? await keepOn(context)
      : await openAgain(isSole === true, context);
    crashPoint("step:demotion-undone");
    if (known.hadAddress) await context.rootHelper.run("vip-add");
    const files = await goneMarker(context);
    await forgetEdits(context);
    await context.ledger.delete(ledgerKey.demoted);
    return evidence([line], { files });
  },
};

async function isDemoted(context: StepContext): Promise<boolean> {
  const { dataDirectory } = context.settings.paths;
  if ((await ownFacts(context, ledgerKey.demoted, DemotedFacts)) === null) return false;
  if ((await findPostmaster(dataDirectory, context)) !== null) return false;
  return (await context.files.stat(await markerPath(context))) !== null;
}

async function report(
  context: StepContext,
  more: { readonly alreadyDone?: boolean } = {},
): Promise<CommandResult<"demote">> {
  if (!(await isDemoted(context))) {
    throw new Failure("VERIFICATION_FAILED", "the server is not stopped behind a standby marker", {
      retryable: true,
    });
  }
  const stopped = await seeStopped(asGuardStep(context));
  if (!isCleanlyStopped(stopped)) {
    throw new Failure("VERIFICATION_FAILED", `the server is not cleanly stopped: "${stopped.state}"`); // prettier-ignore
  }
  const { checkpoint, timeline } = stopped;
  const line = `stopped as a standby-to-be; its last record is the checkpoint at ${checkpoint} on timeline ${timeline}`;
  const files = await notedEdits(context);
  return { ...evidence([line], { ...more, files }), shutdown: { checkpoint, timeline } };
}

/**
 * As the primary that was never stopped; not one that an undo before this one was opening. One that is still stopping is
 * waited for: it can't be stopped from stopping.
 */
async function stillRuns(stallMs: number, context: StepContext): Promise<boolean> {
  const { dataDirectory } = context.settings.paths;
  if ((await findPostmaster(dataDirectory, context)) === null) return false;
  if (await isPrimary(context).catch(() => false)) {
    return context.guardMarks.current().restartingSince === null;
  }
  await stopServer({ dataDirectory, stallMs }, context);
  return false;
}

async function keepOn(context: StepContext): Promise<string> {
  await notingFiles(context).remove(await markerPath(context));
  await context.guardMarks.mark({ fencedAt: null });
  return "it goes on as the primary that it is";
}

async function openAgain(isSole: boolean, context: StepContext): Promise<string> {
  const { clock, guardMarks, settings } = context;
  if ((await findPostmaster(settings.paths.dataDirectory, context)) === null) {
    // An undo before this one may have taken it away already.
    await putStandbyMarker({ ...context, files: notingFiles(context) });
    await startStandby(asGuardStep(context));
  }
  // Again: a look at the primary that still ran, fenced already, took it for one that was opened since.
  const now = clock.now();
  await guardMarks.mark({ fencedAt: now, ...(isSole ? { confirmedAt: now } : {}) });
  const files = notingFiles(context);
  return openAsPrimary({ do: "open-as-primary" }, asGuardStep({ ...context, files }));
}

async function assertPrimary(context: StepContext): Promise<void> {
  if (await isPrimary(context)) return;
  throw new Failure(
    "REFUSED",
    `${context.settings.node} is a standby: there is nothing to give up`,
  );
}

async function isPrimary(context: StepContext): Promise<boolean> {
  const [row] = await context.databases.own.query((await ownDialect(context)).isInRecovery);
  return row !== undefined && !flag(row, "standby");
}

export async function hasAddress({ rootHelper }: StepContext): Promise<boolean> {
  if (!(await rootHelper.verbs()).includes("vip-status")) return false;
  const { stdout } = await rootHelper.run("vip-status");
  return stdout.trim() === "here";
}

/** Of a server that takes writes. Said again by an undo that finds nothing more to take back: its first answer may be lost. */
async function goneMarker(context: StepContext): Promise<Evidence["files"]> {
  const path = await markerPath(context);
  return (await context.files.stat(path)) === null ? [{ path, hash: null }] : [];
}

async function markerPath(context: StepContext): Promise<string> {
  const { dataDirectory } = context.settings.paths;
  return `${dataDirectory}/${standbyMarkerFile(await standbyStyleOf(dataDirectory, context))}`;
}
