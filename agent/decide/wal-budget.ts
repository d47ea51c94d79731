import type { SlotLimits } from "./slot-limits.ts";

/**
 * Slots that we made have a budget of WAL for ever, in every mode of the guard: servers before 13 have no limit of
 * their own (PostgreSQL docs, max_slot_wal_keep_size). Slots of others are only looked at to know what a drop of
 * ours would free.
 */
export type BudgetedSlot = {
  readonly name: string;
  readonly forNode: string;
  readonly walBudgetBytes: number;
  /** null: it reserves nothing. */
  readonly retainedBytes: number | null;
  /** It was to be dropped a moment ago and could not be. */
  readonly isStuck: boolean;
};

/** What keeps WAL whatever happens to our slots, counted back from the newest position. */
export type Keeper = { readonly what: string; readonly bytes: number };

export type WalBudgetInput = {
  readonly slots: readonly BudgetedSlot[];
  readonly keepers: readonly Keeper[];
  /** null where it can't be asked: then only budgets count. */
  readonly disk: {
    readonly freeBytes: number;
    readonly totalBytes: number;
    /** Segments made ahead: the server writes them before it needs new space. */
    readonly spareBytes: number;
  } | null;
  readonly fillBytesPerSecond: number | null;
  /** What a checkpoint may have to write. */
  readonly dirtyBytes: number;
  /** One that we asked for goes on: what the last drop frees is not to be seen yet. */
  readonly isCheckpointing: boolean;
  readonly limits: SlotLimits;
};

/** Stored with every decision and printed: rename with care. */
export const walBudgetRules = {
  "slot-over-budget": "it holds back more WAL than it may, for ever",
  "wal-disk-short": "less is free for WAL than must stay, and a full disk stops the primary",
  "wal-disk-fills": "the disk of the WAL would be full before a checkpoint could give space back",
  "slot-near-budget": "it nears its WAL budget",
  "slot-within-budget": "it is within its WAL budget",
} as const;
type WalBudgetRule = keyof typeof walBudgetRules;

export type WalBudgetVerdict = {
  readonly slot: BudgetedSlot;
  readonly level: "ok" | "warn" | "drop";
  readonly rule: WalBudgetRule;
  readonly reason: string;
};

export type DiskVerdict = {
  readonly rule: "wal-disk-short" | "wal-disk-fills" | null;
  readonly reason: string;
  /** Why no slot is dropped for it, where none is. */
  readonly but: string | null;
};

export type WalBudgetDecision = {
  readonly slots: readonly WalBudgetVerdict[];
  readonly disk: DiskVerdict;
};

export const budgetWarningShare = 0.7;

/** One look. The primary comes before a standby; but no standby goes where that would free nothing worth it. */
export function judgeWalBudget(input: WalBudgetInput): WalBudgetDecision {
  const over = input.slots.filter((slot) => held(slot) >= slot.walBudgetBytes);
  const danger = judgeDisk(input);
  // What goes for its budget frees something too: looked at again before more is given up.
  const isWaiting = input.isCheckpointing || over.some(({ isStuck }) => !isStuck);
  const mayDrop = danger.rule !== null && !isWaiting;
  const chosen = mayDrop ? chooseToDrop(input, danger.neededBytes) : [];
  const slots = input.slots.map((slot): WalBudgetVerdict => {
    const share = `${held(slot)} of ${slot.walBudgetBytes} bytes`;
    const reason = `it holds back ${share} of WAL`;
    if (over.includes(slot)) return { slot, level: "drop", rule: "slot-over-budget", reason };
    if (danger.rule !== null && chosen.includes(slot)) {
      return { slot, level: "drop", rule: danger.rule, reason: `${danger.reason}; ${reason}` };
    }
    const isNear = held(slot) >= slot.walBudgetBytes * budgetWarningShare;
    return isNear
      ? { slot, level: "warn", rule: "slot-near-budget", reason }
      : { slot, level: "ok", rule: "slot-within-budget", reason };
  });
  const isHelpless = danger.rule !== null && over.length === 0 && chosen.length === 0;
  const but = isHelpless ? whyNone(input) : null;
  return { slots, disk: { rule: danger.rule, reason: danger.reason, but } };
}

type Danger = Pick<DiskVerdict, "rule" | "reason"> & { readonly neededBytes: number };

/** What must stay free on this disk. */
export function reserveOn(totalBytes: number, limits: SlotLimits): number {
  return Math.min(limits.reserveBytes, totalBytes / 10);
}

/** Time that a checkpoint must be given, at worst. */
export function checkpointMs(dirtyBytes: number, limits: SlotLimits): number {
  return (dirtyBytes / limits.checkpointBytesPerSecond) * 1_000 + limits.checkpointMarginMs;
}

function judgeDisk({ disk, fillBytesPerSecond, dirtyBytes, limits }: WalBudgetInput): Danger {
  if (disk === null) return { rule: null, reason: "the disk can't be measured", neededBytes: 0 };
  const usable = disk.freeBytes + disk.spareBytes;
  const reserve = reserveOn(disk.totalBytes, limits);
  if (usable < reserve) {
    const reason = `${usable} bytes are free for WAL, ${Math.round(reserve)} must stay`;
    return { rule: "wal-disk-short", reason, neededBytes: 2 * reserve - usable };
  }
  if (fillBytesPerSecond !== null && fillBytesPerSecond > 0) {
    const fullInMs = (usable / fillBytesPerSecond) * 1_000;
    const wantedMs = checkpointMs(dirtyBytes, limits);
    if (fullInMs < wantedMs) {
      const reason = `${usable} bytes are free for WAL and ${Math.round(fillBytesPerSecond)} more are taken every second: full in ${Math.round(fullInMs / 1_000)} s, and a checkpoint may take ${Math.round(wantedMs / 1_000)} s`;
      const neededBytes = (2 * fillBytesPerSecond * wantedMs) / 1_000 - usable;
      return { rule: "wal-disk-fills", reason, neededBytes };
    }
  }
  return { rule: null, reason: `${usable} bytes are free for WAL`, neededBytes: 0 };
}

/**
 * The fewest slots whose end frees what is needed, those that hold most first; all that free anything where even
 * they are not enough. WAL that something else keeps too is not freed by a drop.
 */
function chooseToDrop(input: WalBudgetInput, neededBytes: number): readonly BudgetedSlot[] {
  const worth = worthOf(input);
  const kept = Math.max(0, ...input.keepers.map(({ bytes }) => bytes));
  const isWorthIt = (slot: BudgetedSlot): boolean => !slot.isStuck && held(slot) - kept >= worth;
  const small = input.slots.filter((slot) => !isWorthIt(slot)).map(held);
  const floor = Math.max(kept, ...small);
  const candidates = input.slots
    .filter((slot) => isWorthIt(slot) && held(slot) > floor)
    .toSorted((a, b) => held(b) - held(a));
  const [first] = candidates;
  if (first === undefined || held(first) - floor < worth) return [];
  const enough = candidates.findIndex((_, index) => {
    const next = candidates[index + 1];
    const freed = held(first) - (next === undefined ? floor : held(next));
    return freed >= Math.max(worth, neededBytes);
  });
  return enough === -1 ? candidates : candidates.slice(0, enough + 1);
}

function worthOf({ disk, limits }: WalBudgetInput): number {
  if (disk === null) return limits.worthBytes;
  return Math.max(1, Math.min(limits.worthBytes, reserveOn(disk.totalBytes, limits) / 2));
}

function whyNone(input: WalBudgetInput): string {
  if (input.isCheckpointing) return "the checkpoint after the last drop is still under way";
  const [keeper] = input.keepers.toSorted((a, b) => b.bytes - a.bytes);
  const most = Math.max(0, ...input.slots.map(held));
  if (keeper !== undefined && keeper.bytes >= most && keeper.bytes > 0) {
    return `dropping a slot of ours would free nothing: ${keeper.what} keeps ${keeper.bytes} bytes of WAL`;
  }
  return `dropping slots of ours would free too little: they hold back ${most} bytes; something else fills the disk`;
}

function held({ retainedBytes }: BudgetedSlot): number {
  return retainedBytes ?? 0;
}
