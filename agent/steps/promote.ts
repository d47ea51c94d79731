import * as z from "zod";
import type { CommandArgs, CommandResult } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { forgetEdits, noteEdit, notedEdits } from "./noted-edits.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { flag, text } from "./row-values.ts";
import { standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

type Args = CommandArgs<"promote">;

/** By the control program, which needs no session and takes a quarter of a second in every version. */
export const promote: ChangeStep<"promote"> = {
  check: async (args, context) => {
    if (await isStandby(context)) return null;
    const timeline = await currentTimeline(context);
    if (timeline > args.timeline) return report(timeline, context, { alreadyDone: true });
    throw new Failure("REFUSED", `${context.settings.node} is the primary of timeline ${timeline} already: nothing is to be promoted`); // prettier-ignore
  },
  apply: async (args, context) => {
    if (args.replayed !== null) await awaitReplay(args.replayed, args, context);
    const { programs, product, settings } = context;
    const { binDirectory, dataDirectory } = settings.paths;
    await noteMarkerGoes(context);
    await noteOwn(context, ledgerKey.promoted, {});
    crashPoint("step:promoting");
    const program = `${binDirectory}/${product.programs.ctl}`;
    const result = await programs.run(program, ["-D", dataDirectory, "-W", "promote"]);
    crashPoint("step:promotion-asked");
    if (result.exitCode === 0) return;
    throw new Failure("PROGRAM_FAILED", `${program} promote ended with ${result.exitCode ?? "a signal"}`, { evidence: result.stderr, retryable: true }); // prettier-ignore
  },
  verify: async (args, context) => {
    await watchProgress(
      context,
      { stallMs: args.stallMs, everyMs: 10, what: "the promotion" },
      async () =>
        (await isStandby(context))
          ? { state: "waiting", token: "", missing: "it is in recovery" }
          : { state: "done", value: null },
    );
    return report(await currentTimeline(context), context);
  },
  undo: async (_args, context) => {
    const { node } = context.settings;
    // Asked for, it comes when what was received is replayed: that it is a standby now says nothing.
    if ((await ownFacts(context, ledgerKey.promoted, z.object({}))) !== null) {
      throw new Failure("PAST_RETURN", `${node} was told to lead: nobody takes that back`);
    }
    if (await isStandby(context)) {
      await forgetEdits(context);
      return evidence(["it is a standby, as before"]);
    }
    throw new Failure("REFUSED", `${node} is the primary since, and not by this operation`, {
      hint: "castellan status says who follows whom; the operation is ended as it is with abort --leave.",
    }); // prettier-ignore
  },
};

/** The record at that place is the last one of the primary: whoever has replayed it lacks nothing. */
export function awaitReplay(
  last: string,
  { stallMs }: Pick<Args, "stallMs">,
  context: StepContext,
): Promise<null> {
  return watchProgress(
    context,
    { stallMs, everyMs: 10, what: "the rest of the primary's WAL" },
    async () => {
      const [row] = await context.databases.own.query((await ownDialect(context)).standbyPositions);
      const replayed = row === undefined ? "0/0" : text(row, "replayed");
      return (lsnDistance(last, replayed) ?? 0) > 0
        ? { state: "done", value: null }
        : { state: "waiting", token: replayed, missing: `it has replayed ${replayed} of ${last}` };
    },
  );
}

async function isStandby(context: StepContext): Promise<boolean> {
  const [row] = await context.databases.own.query((await ownDialect(context)).isInRecovery);
  return flag(row, "standby");
}

async function currentTimeline(context: StepContext): Promise<number> {
  const [row] = await context.databases.own.query((await ownDialect(context)).currentWalFile);
  return row === undefined ? 0 : Number.parseInt(text(row, "file").slice(0, 8), 16);
}

/** The server takes it away itself. */
async function noteMarkerGoes(context: StepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  const name = standbyMarkerFile(await standbyStyleOf(dataDirectory, context));
  const marker = await context.files.read(`${dataDirectory}/${name}`);
  if (marker === null) return;
  await noteEdit(`${dataDirectory}/${name}`, { from: marker.hash, hash: null }, context);
}

async function report(
  timeline: number,
  context: StepContext,
  more: { readonly alreadyDone?: boolean } = {},
): Promise<CommandResult<"promote">> {
  const files = await notedEdits(context);
  return { ...evidence([`the primary of timeline ${timeline}`], { ...more, files }), timeline };
}
