import * as z from "zod";
import type { CommandResult } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { isCleanlyStopped, seeStopped } from "../guard/rejoin/stopped-server.ts";
import { startStandby } from "../guard/start-standby.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { hasAddress } from "./demote.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster } from "./postmaster.ts";
import { awaitReplay } from "./promote.ts";
import { flag } from "./row-values.ts";
import { stopServer } from "./server-stop.ts";
import { startAsPrimary } from "./start-primary.ts";
import type { ChangeStep } from "./step.ts";

const StoppedFacts = z.object({
  /** null: no server ran. */
  role: z.enum(["primary", "standby"]).nullable(),
  hadAddress: z.boolean(),
});

/**
 * No standby marker is written: a primary starts as the primary that it was, in whatever way. The mark comes before the
 * stop, so that no guard mends what is stopped, however long it stays so.
 */
export const stopDatabase: ChangeStep<"stop-database"> = {
  check: async (_args, context) =>
    (await isStoppedOnPurpose(context)) ? report(context, { alreadyDone: true }) : null,
  apply: async ({ replayed, stallMs }, context) => {
    const { clock, databases, guardMarks, rootHelper, settings } = context;
    const { dataDirectory } = settings.paths;
    const postmaster = await findPostmaster(dataDirectory, context);
    const known = await ownFacts(context, ledgerKey.stoppedOnPurpose, StoppedFacts);
    if (known === null) {
      const role = postmaster === null ? null : await roleOf(context);
      // While clients still write: the fast stop has then little left to write.
      if (role === "primary") await databases.own.query("CHECKPOINT");
      await noteOwn(context, ledgerKey.stoppedOnPurpose, {
        role,
        hadAddress: await hasAddress(context),
      });
    }
    const isStopping = postmaster?.pid === guardMarks.current().stopped?.pid;
    if (postmaster !== null && replayed !== null && !isStopping) {
      await awaitReplay(replayed, { stallMs }, context);
    }
    await guardMarks.mark({ stopped: { at: clock.now(), pid: postmaster?.pid ?? null } });
    crashPoint("step:stop-marked");
    if ((await rootHelper.verbs()).includes("vip-drop")) await rootHelper.run("vip-drop");
    if (postmaster === null) return;
    await stopServer({ dataDirectory, stallMs }, context);
    crashPoint("step:database-stopped");
  },
  verify: (_args, context) => report(context),
  undo: async ({ stallMs }, context) => {
    const known = await ownFacts(context, ledgerKey.stoppedOnPurpose, StoppedFacts);
    if (known === null) return evidence(["this operation stopped no database here"]);
    if (known.role !== null) await startAgain(known.role, stallMs, context);
    await context.guardMarks.mark({ stopped: null });
    crashPoint("step:stop-undone");
    if (known.hadAddress) await context.rootHelper.run("vip-add");
    await context.ledger.delete(ledgerKey.stoppedOnPurpose);
    return evidence([known.role === null ? "it was stopped before" : `it runs as the ${known.role} that it was`]); // prettier-ignore
  },
};

async function isStoppedOnPurpose({ settings, ...context }: StepContext): Promise<boolean> {
  const isMarked = context.guardMarks.current().stopped !== null;
  return isMarked && (await findPostmaster(settings.paths.dataDirectory, context)) === null;
}

async function report(
  context: StepContext,
  more: { readonly alreadyDone?: boolean } = {},
): Promise<CommandResult<"stop-database">> {
  if (!(await isStoppedOnPurpose(context))) {
    throw new Failure("VERIFICATION_FAILED", "the server runs", { retryable: true });
  }
  const stopped = await seeStopped(asGuardStep(context));
  const { checkpoint, state, timeline } = stopped;
  const known = await ownFacts(context, ledgerKey.stoppedOnPurpose, StoppedFacts);
  // One that was dead before is nobody's clean stop.
  if (known?.role != null && !isCleanlyStopped(stopped)) {
    throw new Failure("VERIFICATION_FAILED", `the server is not cleanly stopped: "${state}"`);
  }
  const line = `${state}; its last checkpoint is at ${checkpoint} on timeline ${timeline}`;
  return { ...evidence([line], more), shutdown: { checkpoint, timeline } };
}

export async function roleOf(context: StepContext): Promise<"primary" | "standby"> {
  const [row] = await context.databases.own.query((await ownDialect(context)).isInRecovery);
  return flag(row, "standby") ? "standby" : "primary";
}

/** One that is still stopping is waited for: it can't be stopped from stopping. */
export async function startAgain(
  role: "primary" | "standby",
  stallMs: number,
  context: StepContext,
): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  if ((await findPostmaster(dataDirectory, context)) !== null) {
    if ((await roleOf(context).catch(() => null)) === role) return;
    await stopServer({ dataDirectory, stallMs }, context);
  }
  if (role === "primary") await startAsPrimary(context);
  else await startStandby(asGuardStep(context));
}
