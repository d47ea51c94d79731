import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { dropSlot } from "./drop-slot.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findSlot, type Slot } from "./slots.ts";
import type { ChangeStep } from "./step.ts";

const DroppedFacts = z.object({
  heldWal: z.boolean(),
  /** What the ledger knew of that slot. */
  entry: z
    .object({
      operationId: z.string(),
      at: z.number(),
      facts: z.record(z.string(), z.unknown()),
    })
    .nullable(),
});

/** Whoever made them: the node that they were for is named by the operation, and leaves the cluster. */
export const dropSlots: ChangeStep<"drop-slots"> = {
  check: async ({ slots }, context) => {
    if ((await presentOf(slots, context)).length > 0) return null;
    return evidence([`no ${slots.join(", ")} here`], { alreadyDone: true });
  },
  apply: async ({ slots, stallMs }, context) => {
    const dialect = await ownDialect(context);
    const assertOurs = (): Promise<void> => Promise.resolve();
    for (const { name, restartLsn } of await presentOf(slots, context)) {
      const known = await ownFacts(context, ledgerKey.dropped(name), DroppedFacts);
      if (known === null) {
        const entry = await context.ledger.get(ledgerKey.slot(name));
        await noteOwn(context, ledgerKey.dropped(name), { heldWal: restartLsn !== null, entry });
      }
      await dropSlot({ name, dialect, assertOurs, stallMs }, context);
      crashPoint("step:node-slot-dropped");
      await context.ledger.delete(ledgerKey.slot(name));
    }
  },
  verify: async ({ slots }, context) => {
    const [left] = await presentOf(slots, context);
    if (left === undefined) return evidence(slots.map((slot) => `slot ${slot}: dropped`));
    throw new Failure("VERIFICATION_FAILED", `slot ${left.name} is there again`, {
      retryable: true,
    });
  },
  undo: async ({ slots }, context) => {
    const lines: string[] = [];
    for (const slot of slots) {
      const known = await ownFacts(context, ledgerKey.dropped(slot), DroppedFacts);
      if (known === null) continue;
      if ((await presentOf([slot], context)).length === 0) {
        const { createSlot } = await ownDialect(context);
        await context.databases.own.query(createSlot, [slot, known.heldWal]);
        crashPoint("step:node-slot-back");
      }
      if (known.entry !== null) {
        // Another slot by now, and known by its name alone until somebody looks at it.
        const { identity: _, ...facts } = known.entry.facts;
        await context.ledger.put(ledgerKey.slot(slot), { ...known.entry, at: context.clock.now(), facts }); // prettier-ignore
      }
      await context.ledger.delete(ledgerKey.dropped(slot));
      lines.push(`slot ${slot}: there again, holding ${known.heldWal ? "WAL from now on" : "nothing back"}`); // prettier-ignore
    }
    return evidence(lines, { alreadyDone: lines.length === 0 });
  },
};

async function presentOf(names: readonly string[], context: StepContext): Promise<readonly Slot[]> {
  const dialect = await ownDialect(context);
  const present: Slot[] = [];
  for (const name of names) {
    const slot = await findSlot(context.databases.own, dialect, name);
    if (slot !== null) present.push(slot);
  }
  return present;
}
