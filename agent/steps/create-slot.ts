import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { isDirectoryGone, isSlotMissing, slotIdentity } from "../adapters/slot-directory.ts";
import { compareSlots } from "../decide/slot-identity.ts";
import type { StepContext } from "../ports.ts";
import { SlotFacts } from "../slot-entries.ts";
import { backupLabel } from "./backup-command.ts";
import { dropSlot } from "./drop-slot.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findSlot, type Slot } from "./slots.ts";
import { sqlStateOf } from "./sql-state.ts";
import type { ChangeStep } from "./step.ts";

/** SQLSTATE of "replication slot already exists" (PostgreSQL docs, error codes). */
const duplicateObject = "42710";

type Args = CommandArgs<"create-slot">;

/** A physical slot on this host's own database. A slot that this operation did not make is never touched. */
export const createSlot: ChangeStep<"create-slot"> = {
  check: async (args, context) => {
    const slot = await findOwn(args, context);
    if (slot === null || !isRight(args, slot)) return null;
    await noteIdentity(args, context);
    return report(args, slot);
  },
  apply: async (args, context) => {
    const slot = await findOwn(args, context);
    if (slot !== null && isRight(args, slot)) return;
    if (slot !== null) await drop(args, context);
    const key = ledgerKey.slot(args.slot);
    const known = await ownSlotFacts(args, context);
    const placed = ledgerKey.placed(context.settings.paths.dataDirectory);
    const facts = {
      forNode: args.forNode,
      reserve: args.reserve,
      walBudgetBytes: args.walBudgetBytes,
      inOwnDirectory: (await ownFacts(context, placed, z.unknown())) !== null,
    };
    await noteOwn(context, key, facts);
    const { createSlot: create } = await ownDialect(context);
    try {
      await context.databases.own.query(create, [args.slot, args.reserve]);
    } catch (error) {
      // Somebody was faster. Not so where an earlier attempt of ours was cut off: then it may be that one's.
      if (known === null && sqlStateOf(error) === duplicateObject) {
        await context.ledger.delete(key);
        await findOwn(args, context);
      }
      throw error;
    }
    crashPoint("step:slot-made");
    await noteIdentity(args, context);
  },
  verify: async (args, context) => {
    const slot = await findOwn(args, context);
    if (slot === null) {
      throw new Failure("VERIFICATION_FAILED", `slot ${args.slot} is not there after its creation`);
    }
    if (!isRight(args, slot)) {
      const found = slot.restartLsn === null ? "reserves no WAL" : `holds ${slot.restartLsn}`;
      const wanted = args.reserve ? "reserve WAL at once" : "reserve none";
      throw new Failure("VERIFICATION_FAILED", `slot ${args.slot} ${found}; it should ${wanted}`);
    }
    return report(args, slot);
  },
  undo: async (args, context) => {
    const key = ledgerKey.slot(args.slot);
    const facts = await ownSlotFacts(args, context);
    if (facts === null) {
      if ((await ownFacts(context, key, SlotFacts)) !== null) await context.ledger.delete(key);
      return evidence([`slot ${args.slot}: none that this operation made`]);
    }
    const wasThere = await isThere(args, facts, context);
    if (wasThere && (await isReplaced(facts, args, context))) {
      await context.ledger.delete(key);
      return evidence([
        `slot ${args.slot}: left, someone dropped the one that this operation made and made another`,
      ]);
    }
    const isEnded = wasThere && (await endCopy(context));
    if (wasThere) await drop(args, context);
    await context.ledger.delete(key);
    return evidence([
      ...(isEnded ? ["its copy was still sent from here: ended"] : []),
      `slot ${args.slot}: ${wasThere ? "dropped" : "was gone already"}`,
    ]);
  },
};

/** null where there is none. @throws Failure ALREADY_EXISTS where someone else made it */
async function findOwn(args: Args, context: StepContext): Promise<Slot | null> {
  const slot = await findSlot(context.databases.own, await ownDialect(context), args.slot);
  if (slot === null) return null;
  const facts = await ownSlotFacts(args, context);
  const isAnother = facts !== null && (await isReplaced(facts, args, context));
  if (facts !== null && !isAnother) return slot;
  const entry = await context.ledger.get(ledgerKey.slot(args.slot));
  const maker = isAnother
    ? "it is not the one that this operation made: someone dropped that"
    : entry === null
      ? "Castellan did not make it"
      : `operation ${entry.operationId} did`;
  throw new Failure("ALREADY_EXISTS", `slot ${args.slot} is there already, and ${maker}`, {
    hint: `If nothing needs it, drop it: ${(await ownDialect(context)).dropSlot.replace("$1", `'${args.slot}'`)}`,
    evidence: [`active: ${slot.active}, restart_lsn: ${slot.restartLsn ?? "none"}`],
  });
}

/**
 * A server that is down is answered for by its directory of slots. That the whole data directory is missing proves
 * something only where this operation placed it: elsewhere its disk may not be mounted.
 */
async function isThere(
  { slot }: Args,
  { inOwnDirectory = false }: SlotFacts,
  context: StepContext,
): Promise<boolean> {
  const { dataDirectory } = context.settings.paths;
  try {
    return (await findSlot(context.databases.own, await ownDialect(context), slot)) !== null;
  } catch (error) {
    if (asFailure(error).code !== "DATABASE_UNREACHABLE") throw error;
    if ((await isSlotMissing(dataDirectory, slot)) === true) return false;
    if (inOwnDirectory && (await isDirectoryGone(dataDirectory))) return false;
    throw error;
  }
}

/** null also after the WAL budget took ours away. */
async function ownSlotFacts(args: Args, context: StepContext) {
  const facts = await ownFacts(context, ledgerKey.slot(args.slot), SlotFacts);
  return facts?.droppedForBudgetAt === undefined ? facts : null;
}

/** Right after its making, or where that was cut off: at the next look. */
async function noteIdentity(args: Args, context: StepContext): Promise<void> {
  const facts = await ownSlotFacts(args, context);
  if (facts === null || facts.identity !== undefined) return;
  const identity = await identityOf(args, context);
  if (identity === null) return;
  await noteOwn(context, ledgerKey.slot(args.slot), { ...facts, identity });
}

function identityOf(args: Args, context: StepContext) {
  return slotIdentity(context.settings.paths.dataDirectory, args.slot);
}

async function isReplaced({ identity }: SlotFacts, args: Args, context: StepContext) {
  const at = (await context.ledger.get(ledgerKey.slot(args.slot)))?.at ?? 0;
  return compareSlots({ at, identity }, await identityOf(args, context)) === "other";
}

function isRight(args: Args, slot: Slot): boolean {
  // An unreserved slot gets a position as soon as its node streams through it.
  return args.reserve ? slot.restartLsn !== null : slot.restartLsn === null || slot.active;
}

function report(args: Args, slot: Slot): Evidence {
  const holds = slot.restartLsn === null ? "reserves no WAL" : `holds WAL from ${slot.restartLsn}`;
  return evidence([`slot ${args.slot} for ${args.forNode}: ${holds}`]);
}

/**
 * Behind a cut link the server would go on with the copy until TCP gives up. Its slot is held by the walsender of the
 * WAL alone, so this one is known by its label, which has our operation in it.
 */
async function endCopy(context: StepContext): Promise<boolean> {
  const { terminateCopy } = await ownDialect(context);
  const label = backupLabel(context.operationId);
  return (await context.databases.own.query(terminateCopy, [label])).length > 0;
}

async function drop(args: Args, context: StepContext): Promise<void> {
  const assertOurs = async (): Promise<void> => void (await findOwn(args, context));
  const dialect = await ownDialect(context);
  await dropSlot({ name: args.slot, dialect, assertOurs, stallMs: 10_000 }, context);
  crashPoint("step:slot-dropped");
}
