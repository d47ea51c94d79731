import { oldDirectoryFor } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { physicalSlots } from "../adapters/slot-directory.ts";
import { makeSlots } from "../guard/standby-slots.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ownDialect } from "./own-dialect.ts";
import { findSlot } from "./slots.ts";
import type { ChangeStep } from "./step.ts";

/** Slots aren't copied: without these nobody could stream from here after a promotion. They go with the copy. */
export const remakeSlots: ChangeStep<"remake-slots"> = {
  check: () => Promise.resolve(null),
  apply: async (_args, context) => {
    const old = oldDirectoryFor(context.settings.paths.dataDirectory);
    const before = (await context.files.stat(old)) === null ? [] : await physicalSlots(old);
    await makeSlots([...before], asGuardStep(context));
  },
  verify: async (_args, context) => {
    const names = slotsOfOthers(context);
    const dialect = await ownDialect(context);
    for (const name of names) {
      if ((await findSlot(context.databases.own, dialect, name)) !== null) continue;
      throw new Failure("VERIFICATION_FAILED", `slot ${name} is not there`, { retryable: true });
    }
    return evidence([`slots, holding nothing back: ${names.join(", ")}`]);
  },
  undo: () => Promise.resolve(evidence(["they go with the copy"])),
};

function slotsOfOthers(context: StepContext): readonly string[] {
  const { cluster, node } = asGuardStep(context).view;
  return (cluster?.nodes ?? []).filter(({ name }) => name !== node).map(({ slot }) => slot);
}
