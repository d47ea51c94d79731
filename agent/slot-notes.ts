import { asFailure } from "#shared/errors.ts";
import type { LedgerEntry, Ports } from "./ports.ts";
import type { DropDecision, OwnSlotEntry } from "./slot-entries.ts";
import { ledgerKey } from "./steps/ledger-keys.ts";

/** What the WAL budget adds to the ledger's entries of slots, also while its disk takes nothing. */
export type SlotNotes = {
  /** Changes the entry unless an operation has made it anew. A ledger that takes nothing: the next look tries again. */
  change(own: OwnSlotEntry, more: Readonly<Record<string, unknown>>): Promise<void>;
  /** `entry` is the slot's as it was before the drop. */
  dropped(name: string, entry: LedgerEntry, decision: DropDecision): Promise<void>;
  /** Dropped, and the ledger does not know it yet. */
  isUnnoted(name: string): boolean;
  noteRest(): Promise<void>;
};

export function createSlotNotes({ ledger, log }: Pick<Ports, "ledger" | "log">): SlotNotes {
  const unnoted = new Map<string, { readonly at: number; readonly decision: DropDecision }>();

  async function note(name: string): Promise<void> {
    const dropped = unnoted.get(name);
    const key = ledgerKey.slot(name);
    try {
      const entry = await ledger.get(key);
      // An undo may have taken the entry back, or an operation made the slot anew.
      if (dropped !== undefined && entry?.at === dropped.at) {
        const { decision } = dropped;
        const facts = { ...entry.facts, dropping: decision, droppedForBudgetAt: decision.at };
        await ledger.put(key, { ...entry, facts });
      }
      unnoted.delete(name);
    } catch (error) {
      const { message } = asFailure(error);
      log.error({ slot: name, problem: message }, "A slot's drop could not be noted yet.");
    }
  }

  return {
    change: async (own, more) => {
      const key = ledgerKey.slot(own.name);
      try {
        const entry = await ledger.get(key);
        if (entry === null || entry.at !== own.entry.at) return;
        await ledger.put(key, { ...entry, facts: { ...entry.facts, ...more } });
      } catch (error) {
        const { message } = asFailure(error);
        log.error({ slot: own.name, problem: message }, "The ledger takes nothing; tried again.");
      }
    },
    dropped: async (name, { at }, decision) => {
      unnoted.set(name, { at, decision });
      await note(name);
    },
    isUnnoted: (name) => unnoted.has(name),
    noteRest: async () => {
      for (const name of unnoted.keys()) await note(name);
    },
  };
}
