import { Failure } from "#shared/errors.ts";
import { activeVendorLines, unseenCronFiles } from "../decide/vendor-lines.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import type { SetStep } from "./step.ts";

export const setGuardMode: SetStep<"set-guard-mode"> = {
  apply: async ({ mode, by }, context) => {
    if (mode === "enforce") await assertVendorIsOut(context);
    await context.guardModes.setMode(mode, by);
  },
  verify: (_args, { guardModes }) => {
    const guard = guardModes.current();
    return Promise.resolve({ ...evidence([`the guard is in mode ${guard.mode}`]), guard });
  },
};

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
