import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { startStandby } from "../guard/start-standby.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster } from "./postmaster.ts";
import { flag } from "./row-values.ts";
import { assertStandby } from "./server-launch.ts";
import { stopServer } from "./server-stop.ts";
import type { ChangeStep } from "./step.ts";

const StoppedFacts = z.object({ wasRunning: z.boolean() });

/** Whatever state this host's server is in, if it is no primary; also where its directory is gone. */
export const stopStandby: ChangeStep<"stop-standby"> = {
  check: async (_args, context) => {
    const known = await ownFacts(context, ledgerKey.stopped, StoppedFacts);
    return known === null || (await isRunning(context)) ? null : stopped(known);
  },
  apply: async ({ stallMs }, context) => {
    await noteStop(context);
    await assureStopped(stallMs, context);
  },
  verify: async (_args, context) => {
    const known = await ownFacts(context, ledgerKey.stopped, StoppedFacts);
    if (known !== null && !(await isRunning(context))) return stopped(known);
    throw new Failure("VERIFICATION_FAILED", "the server still runs", { retryable: true });
  },
  undo: async (_args, context) => {
    const known = await ownFacts(context, ledgerKey.stopped, StoppedFacts);
    if (known === null) return evidence(["this operation stopped no server here"]);
    if (known.wasRunning) await startStandby(asGuardStep(context));
    crashPoint("step:standby-started-again");
    await context.ledger.delete(ledgerKey.stopped);
    return evidence([known.wasRunning ? "the server runs again" : "the server was stopped before"]);
  },
};

/** @throws Failure REFUSED for a primary, which nobody is to lose like this */
export async function assureStopped(stallMs: number, context: StepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  if (!(await isRunning(context))) return;
  await assertNotPrimary(context);
  crashPoint("step:stopping-standby");
  await stopServer({ dataDirectory, stallMs, leavesFollowers: true }, context);
}

export async function assertNotPrimary(context: StepContext): Promise<void> {
  // One that gives no session says nothing of itself: its directory does.
  await assertStandby(context.settings.paths.dataDirectory, context);
  const [row] = await context.databases.own
    .query((await ownDialect(context)).isInRecovery)
    .catch(() => []);
  if (row !== undefined && !flag(row, "standby")) {
    throw new Failure("REFUSED", `${context.settings.node} is a primary: it is not stopped`);
  }
}

/** Before the effect, and once: what it was before. */
export async function noteStop(context: StepContext): Promise<void> {
  if ((await ownFacts(context, ledgerKey.stopped, StoppedFacts)) !== null) return;
  await noteOwn(context, ledgerKey.stopped, { wasRunning: await isRunning(context) });
}

async function isRunning(context: StepContext): Promise<boolean> {
  return (await findPostmaster(context.settings.paths.dataDirectory, context)) !== null;
}

function stopped({ wasRunning }: z.infer<typeof StoppedFacts>) {
  const line = wasRunning ? "the server is stopped" : "no server ran";
  return evidence([line], { alreadyDone: !wasRunning });
}
