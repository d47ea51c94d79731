/** As agent/adapters/slot-directory.ts sees it, and as the ledger keeps it. */
export type SlotIdentity = { readonly inode: string; readonly bornNs: string };

/** What the ledger knows: noted right before the slot was made, and again with its identity. */
type SlotNote = { readonly at: number; readonly identity: SlotIdentity | undefined };

/** From the note to the slot, on a server whose disk is slow. */
const longestMakingMs = 60_000;

/**
 * Is the slot that bears our slot's name the one that we made? Never by its name alone: someone may have dropped ours
 * and made another, or made one where our own making was cut off. `unknown` where one of both can't be seen.
 */
export function compareSlots(
  { at, identity: made }: SlotNote,
  found: SlotIdentity | null,
): "same" | "other" | "unknown" {
  if (found === null) return "unknown";
  if (made === undefined) {
    const foundBornAt = bornAt(found);
    const isOfThatTime = foundBornAt === null || Math.abs(foundBornAt - at) <= longestMakingMs;
    return isOfThatTime ? "unknown" : "other";
  }
  if (made.inode !== found.inode) return "other";
  const isBirthKnown = made.bornNs !== "0" && found.bornNs !== "0";
  return isBirthKnown && made.bornNs !== found.bornNs ? "other" : "same";
}

/** Milliseconds since the epoch; null where the file system keeps no time of birth. */
export function bornAt({ bornNs }: SlotIdentity): number | null {
  return bornNs === "0" ? null : Number(BigInt(bornNs) / 1_000_000n);
}
