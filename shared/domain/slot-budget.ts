export type SlotBudgetInput = {
  /** Most that the site lets one slot hold back. */
  readonly settingBytes: number;
  /** Free now on the filesystem that holds the primary's WAL; null if nobody could say. */
  readonly walFreeBytes: number | null;
  /** Share of it that one slot may take. */
  readonly share: number;
  /** `max_slot_wal_keep_size` (PostgreSQL 13 on): beyond it the server itself invalidates the slot. Null: no limit. */
  readonly serverLimitBytes: number | null;
};

/** How much WAL a slot may hold back before the copy is given up: the smallest of all limits. */
export function slotBudgetBytes(input: SlotBudgetInput): number {
  const limits = [
    input.settingBytes,
    ...(input.walFreeBytes === null ? [] : [input.walFreeBytes * input.share]),
    ...(input.serverLimitBytes === null ? [] : [input.serverLimitBytes]),
  ];
  return Math.max(1, Math.floor(Math.min(...limits)));
}
