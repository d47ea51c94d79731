/** As agent/adapters/slot-directory.ts sees it, and as the ledger keeps it. */
type SlotIdentity = { readonly inode: string; readonly bornNs: string };

/**
 * Is the slot that bears our slot's name the one that we made? Never by its name alone: someone may have dropped ours
 * and made another. `unknown` where one of both can't be seen: then nothing is done to it.
 */
export function compareSlots(
  made: SlotIdentity | null,
  found: SlotIdentity | null,
): "same" | "other" | "unknown" {
  if (made === null || found === null) return "unknown";
  if (made.inode !== found.inode) return "other";
  const isBirthKnown = made.bornNs !== "0" && found.bornNs !== "0";
  return isBirthKnown && made.bornNs !== found.bornNs ? "other" : "same";
}
