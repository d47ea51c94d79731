import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { hasAddress } from "./demote.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { forgetEdits } from "./noted-edits.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster } from "./postmaster.ts";
import { stopServer } from "./server-stop.ts";
import type { ChangeStep } from "./step.ts";
import { roleOf, startAgain } from "./stop-database.ts";

const FailedFacts = z.object({ hadAddress: z.boolean() });

/**
 * Nobody is told beforehand, and nothing is marked: what guards, pools and clients make of it is what a drill is to
 * show. Its undo opens the server again; that nobody else leads by then is for whoever asks for it to see to.
 */
export const stopPrimary: ChangeStep<"stop-primary"> = {
  check: async (_args, context) => {
    const isNoted = (await ownFacts(context, ledgerKey.failed, FailedFacts)) !== null;
    return isNoted && !(await isPrimary(context)) ? failed() : null;
  },
  apply: async ({ stallMs }, context) => {
    await noteFailure(context);
    crashPoint("step:stopping-primary");
    await stopServer({ dataDirectory: context.settings.paths.dataDirectory, stallMs }, context);
  },
  verify: async (_args, context) => {
    if (!(await isPrimary(context))) return failed();
    throw new Failure("VERIFICATION_FAILED", "the server still runs", { retryable: true });
  },
  undo: async ({ stallMs }, context) => {
    const known = await ownFacts(context, ledgerKey.failed, FailedFacts);
    if (known === null) return evidence(["this operation stopped no primary here"]);
    await startAgain("primary", stallMs, context);
    crashPoint("step:primary-open-again");
    if (known.hadAddress) await context.rootHelper.run("vip-add");
    await forgetEdits(context);
    await context.ledger.delete(ledgerKey.failed);
    return evidence(["it runs as the primary that it was"]);
  },
};

/** Before the effect, and once. @throws Failure REFUSED for a standby */
export async function noteFailure(context: StepContext): Promise<void> {
  if ((await ownFacts(context, ledgerKey.failed, FailedFacts)) !== null) return;
  if ((await roleOf(context)) === "standby") {
    throw new Failure(
      "REFUSED",
      `${context.settings.node} is a standby: it is not the one to fail`,
    );
  }
  await noteOwn(context, ledgerKey.failed, { hadAddress: await hasAddress(context) });
}

/** One that has been started as a standby since has failed. */
async function isPrimary(context: StepContext): Promise<boolean> {
  if ((await findPostmaster(context.settings.paths.dataDirectory, context)) === null) return false;
  return (await roleOf(context).catch(() => "primary")) === "primary";
}

function failed() {
  return evidence(["the primary is down"]);
}
