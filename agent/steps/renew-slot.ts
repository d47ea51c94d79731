import * as z from "zod";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import type { StepContext } from "../ports.ts";
import { createSlot } from "./create-slot.ts";
import { dropSlot } from "./drop-slot.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findSlot, type Slot } from "./slots.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"renew-slot">;

const RenewedFacts = z.object({
  /** Holding nothing back: what a slot holds is never dropped here. */
  wasThere: z.boolean(),
  /** What the ledger knew of that slot. */
  entry: z
    .object({
      operationId: z.string(),
      at: z.number(),
      facts: z.record(z.string(), z.unknown()),
    })
    .nullable(),
});

/**
 * A slot that was never streamed through, or that the server gave up, has no position, and none can be set: it is
 * dropped and made anew, reserved at once.
 */
export const renewSlot: ChangeStep<"renew-slot"> = {
  check: async (args, context) => {
    const slot = await find(args, context);
    if (slot?.restartLsn == null) return null;
    const own = await ownFacts(context, ledgerKey.slot(args.slot), z.unknown());
    if (own !== null) return createSlot.check(reserved(args), context);
    return evidence([holds(slot)], { alreadyDone: true });
  },
  apply: async (args, context) => {
    const { ledger } = context;
    const key = ledgerKey.slot(args.slot);
    const slot = await find(args, context);
    if (slot?.restartLsn != null) return;
    if ((await ownFacts(context, ledgerKey.renewed(args.slot), RenewedFacts)) === null) {
      const entry = await ledger.get(key);
      await noteOwn(context, ledgerKey.renewed(args.slot), { wasThere: slot !== null, entry });
    }
    if (slot !== null) await drop(args, context);
    crashPoint("step:old-slot-dropped");
    await ledger.delete(key);
    await createSlot.apply(reserved(args), context);
  },
  verify: async (args, context) => createSlot.verify(reserved(args), context),
  undo: async (args, context) => {
    const { databases, ledger } = context;
    const key = ledgerKey.slot(args.slot);
    const renewed = await ownFacts(context, ledgerKey.renewed(args.slot), RenewedFacts);
    if (renewed === null) return evidence([`slot ${args.slot}: not made anew by this operation`]);
    const { lines } = await createSlot.undo(reserved(args), context);
    const isMissing = renewed.wasThere && (await find(args, context)) === null;
    if (renewed.entry !== null) {
      const { identity: _, ...facts } = renewed.entry.facts;
      await ledger.put(key, { ...renewed.entry, at: context.clock.now(), facts });
    }
    if (isMissing) {
      await databases.own.query((await ownDialect(context)).createSlot, [args.slot, false]);
    }
    crashPoint("step:old-slot-back");
    await ledger.delete(ledgerKey.renewed(args.slot));
    return evidence([...lines, ...(isMissing ? [`slot ${args.slot}: there as before, holding nothing back`] : [])]); // prettier-ignore
  },
};

async function drop({ slot: name }: Args, context: StepContext): Promise<void> {
  const dialect = await ownDialect(context);
  const assertOurs = (): Promise<void> => Promise.resolve();
  await dropSlot({ name, dialect, assertOurs, stallMs: 10_000 }, context);
}

async function find({ slot }: Args, context: StepContext): Promise<Slot | null> {
  return findSlot(context.databases.own, await ownDialect(context), slot);
}

function reserved(args: Args): CommandArgs<"create-slot"> {
  return { ...args, reserve: true };
}

function holds({ name, restartLsn }: Slot): string {
  return `slot ${name} holds WAL from ${restartLsn ?? ""}`;
}
