/**
 * Slots that we made have a budget of WAL for ever, in every mode of the guard: servers before 13 have no limit of
 * their own (PostgreSQL docs, max_slot_wal_keep_size). Slots of others are not even looked at here.
 */
export type BudgetedSlot = {
  readonly name: string;
  readonly forNode: string;
  readonly walBudgetBytes: number;
  /** null: it reserves nothing. */
  readonly retainedBytes: number | null;
};

export type WalBudgetInput = {
  readonly slots: readonly BudgetedSlot[];
  /** Free on the file system of the WAL; null where it can't be asked. */
  readonly walFreeBytes: number | null;
};

export type WalBudgetVerdict = {
  readonly slot: BudgetedSlot;
  readonly level: "ok" | "warn" | "drop";
  readonly reason: string;
};

export const budgetWarningShare = 0.7;
/** What a checkpoint may still write before the old segments are gone. */
export const walReserveBytes = 512 * 1024 * 1024;
/** A slot that holds less isn't why the disk is full: dropping it would cost a standby and win nothing. */
const worthDroppingBytes = 128 * 1024 * 1024;

export function judgeWalBudget(input: WalBudgetInput): readonly WalBudgetVerdict[] {
  const { walFreeBytes } = input;
  const isShort = walFreeBytes !== null && walFreeBytes < walReserveBytes;
  const most = Math.max(0, ...input.slots.map((slot) => slot.retainedBytes ?? 0));
  return input.slots.map((slot) => {
    const retained = slot.retainedBytes ?? 0;
    const share = `${retained} of ${slot.walBudgetBytes} bytes`;
    if (retained >= slot.walBudgetBytes) {
      return { slot, level: "drop", reason: `it holds back ${share} of WAL` };
    }
    // The largest alone: after it is gone the next look sees whether that was enough.
    if (isShort && retained >= worthDroppingBytes && retained === most) {
      const reason = `${walFreeBytes} bytes are free for WAL, ${walReserveBytes} must stay; it holds back ${share}`;
      return { slot, level: "drop", reason };
    }
    const level = retained >= slot.walBudgetBytes * budgetWarningShare ? "warn" : "ok";
    return { slot, level, reason: `it holds back ${share} of WAL` };
  });
}
