import * as z from "zod";
import type { Ledger, LedgerEntry } from "./ports.ts";
import { ledgerKey } from "./steps/ledger-keys.ts";

const Identity = z.object({ inode: z.string(), bornNs: z.string() });
const Decision = z.object({
  at: z.number(),
  rule: z.string(),
  reason: z.string(),
  /** It streamed from here, as far as this host could tell. */
  needsRebuild: z.boolean(),
  /** What was looked at. */
  facts: z.record(z.string(), z.unknown()),
});
export type DropDecision = z.infer<typeof Decision>;

/** What the ledger keeps of a slot that we made: written by create-slot, added to by the WAL budget. */
export const SlotFacts = z.object({
  forNode: z.string(),
  reserve: z.boolean(),
  walBudgetBytes: z.number().nullable(),
  /** The operation that made it placed the whole data directory, too: without that there is no slot. */
  inOwnDirectory: z.boolean().optional(),
  /** Of its directory: tells it from another slot of this name. Absent only in the moment of its making. */
  identity: Identity.optional(),
  /** Decided, on disk before the effect. */
  dropping: Decision.optional(),
  /** Ours is gone since then (the WAL budget): a slot of that name is another's. */
  droppedForBudgetAt: z.number().optional(),
  /** Its node streams from here all the same: nothing is to be rebuilt. */
  streamsAgainAt: z.number().optional(),
});
export type SlotFacts = z.infer<typeof SlotFacts>;

export type OwnSlotEntry = {
  readonly name: string;
  readonly entry: LedgerEntry;
  readonly facts: SlotFacts;
};

const prefix = ledgerKey.slot("");

export async function ownSlotEntries(ledger: Ledger): Promise<readonly OwnSlotEntry[]> {
  const entries = await ledger.list(prefix);
  return entries.flatMap(({ key, entry }) => {
    const facts = factsOf(entry);
    return facts === null ? [] : [{ name: key.slice(prefix.length), entry, facts }];
  });
}

/** Asked for at every look, and an entry never changes: another one takes its place. */
const read = new WeakMap<LedgerEntry, SlotFacts | null>();

/** null for one of another version: create-slot says so when it is asked; elsewhere nothing may be built on it. */
function factsOf(entry: LedgerEntry): SlotFacts | null {
  const known = read.get(entry);
  if (known !== undefined) return known;
  const facts = SlotFacts.safeParse(entry.facts).data ?? null;
  read.set(entry, facts);
  return facts;
}

export function isDropped({ facts }: OwnSlotEntry): boolean {
  return facts.droppedForBudgetAt !== undefined;
}
