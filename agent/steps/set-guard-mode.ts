import * as z from "zod";
import type { CommandResult } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { activeVendorLines, unseenCronFiles } from "../decide/vendor-lines.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import type { ChangeStep } from "./step.ts";

const Before = z.object({ mode: z.enum(["observe", "enforce"]) });

export const setGuardMode: ChangeStep<"set-guard-mode"> = {
  check: async ({ mode }, context) =>
    context.guardModes.isKept() && context.guardModes.lasting() === mode
      ? report(context, true)
      : null,
  apply: async ({ mode, by }, context) => {
    if (mode === "enforce") await assertVendorIsOut(context);
    const before = await ownFacts(context, ledgerKey.guardMode, Before);
    await noteOwn(context, ledgerKey.guardMode, before ?? { mode: context.guardModes.lasting() });
    await context.guardModes.setMode(mode, by);
  },
  verify: async (_args, context) => report(context, false),
  undo: async ({ by }, context) => {
    const before = await ownFacts(context, ledgerKey.guardMode, Before);
    if (before === null) return evidence(["the guard's mode was not set by this operation"]);
    await context.guardModes.setMode(before.mode, by);
    await context.ledger.delete(ledgerKey.guardMode);
    return evidence([`the guard is in mode ${before.mode} again`]);
  },
};

function report(
  { guardModes }: StepContext,
  alreadyDone: boolean,
): Promise<CommandResult<"set-guard-mode">> {
  const guard = guardModes.current();
  const under = guard.mode === "maintenance" ? `, and ${guardModes.lasting()} after it` : "";
  const line = `the guard is in mode ${guard.mode}${under}`;
  return Promise.resolve({ ...evidence([line], { alreadyDone }), guard });
}

/** Two that act by themselves would undo each other's work. */
async function assertVendorIsOut({ observe, settings }: StepContext): Promise<void> {
  const { files } = await observe();
  const hint = "castellan guard takeover comments the vendor's lines first, and remembers them.";
  const [active] = activeVendorLines(files);
  if (active !== undefined) {
    throw new Failure("REFUSED", `the vendor's cron check is in charge of ${settings.node}: ${active}`, { hint }); // prettier-ignore
  }
  const [unseen] = unseenCronFiles(files);
  if (unseen === undefined) return;
  throw new Failure("REFUSED", `whether the vendor's cron check is in charge of ${settings.node} can't be seen: ${unseen}`, { hint }); // prettier-ignore
}
