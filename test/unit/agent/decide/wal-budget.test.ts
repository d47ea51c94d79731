import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fillRate, keepSamples, type SpaceSample } from "#agent/decide/disk-fill.ts";
import { defaultSlotLimits } from "#agent/decide/slot-limits.ts";
import {
  judgeWalBudget,
  reserveOn,
  walBudgetRules,
  type BudgetedSlot,
  type WalBudgetInput,
} from "#agent/decide/wal-budget.ts";

const mib = 1024 * 1024;
const gib = 1024 * mib;
const plenty = { freeBytes: 100 * gib, totalBytes: 200 * gib, spareBytes: 0 };
const short = { freeBytes: 511 * mib, totalBytes: 200 * gib, spareBytes: 0 };

function slot(retainedBytes: number | null, name = "slot_srv159"): BudgetedSlot {
  return { name, forNode: "srv159", walBudgetBytes: 1000 * mib, retainedBytes, isStuck: false };
}

/** Two slots of ours, a quiet disk, nothing else; a test shows only what differs. */
function look(more: Partial<WalBudgetInput> = {}) {
  return judgeWalBudget({
    slots: [],
    keepers: [],
    disk: plenty,
    fillBytesPerSecond: null,
    dirtyBytes: 128 * mib,
    isCheckpointing: false,
    limits: defaultSlotLimits,
    ...more,
  });
}

function levels(more: Partial<WalBudgetInput>): string[] {
  return look(more).slots.map(({ level }) => level);
}

describe("the budget", () => {
  test("a slot is warned about from 70 % of its budget and dropped at 100 %", () => {
    expect(levels({ slots: [slot(699 * mib)] })).toEqual(["ok"]);
    expect(levels({ slots: [slot(700 * mib)] })).toEqual(["warn"]);
    expect(levels({ slots: [slot(1000 * mib - 1)] })).toEqual(["warn"]);
    expect(look({ slots: [slot(1000 * mib)] }).slots).toMatchObject([
      { level: "drop", rule: "slot-over-budget" },
    ]);
  });

  test("a slot that reserves nothing is well within its budget", () => {
    expect(levels({ slots: [slot(null)] })).toEqual(["ok"]);
  });

  test("the budget counts though others hold the same WAL, and while the disk can't be measured", () => {
    const slots = [slot(1000 * mib)];
    expect(levels({ slots, keepers: [{ what: "slot theirs", bytes: 5 * gib }] })).toEqual(["drop"]);
    expect(levels({ slots, disk: null })).toEqual(["drop"]);
    expect(levels({ slots: [slot(500 * mib)], disk: null })).toEqual(["ok"]);
  });
});

describe("a disk that is short", () => {
  test("costs the slots that hold most, no more of them than are needed", () => {
    const slots = [slot(200 * mib, "a"), slot(900 * mib, "b"), slot(700 * mib, "c")];
    // 1024 - 511 MiB are needed: b alone frees only 200 of its 900.
    expect(levels({ slots, disk: short })).toEqual(["ok", "drop", "drop"]);
    const lone = [slot(200 * mib, "a"), slot(900 * mib, "b")];
    expect(levels({ slots: lone, disk: short })).toEqual(["ok", "drop"]);
  });

  test("costs no standby that streams: its slot holds back next to nothing", () => {
    const seen = look({ slots: [slot(64 * mib)], disk: { ...short, freeBytes: 0 } });
    expect(seen.slots).toMatchObject([{ level: "ok" }]);
    expect(seen.disk).toMatchObject({
      rule: "wal-disk-short",
      but: expect.stringContaining("something else fills the disk"),
    });
  });

  test.each([
    { what: "slot theirs, which is not ours,", bytes: 600 * mib },
    { what: "the archiver", bytes: 700 * mib },
  ])("costs no slot while $what keeps the same WAL, and that is said", (keeper) => {
    const seen = look({ slots: [slot(600 * mib)], disk: short, keepers: [keeper] });
    expect(seen.slots).toMatchObject([{ level: "ok" }]);
    expect(seen.disk.but).toContain(keeper.what);
  });

  test("is not short while the server has segments made ahead", () => {
    const disk = { ...short, spareBytes: 512 * mib };
    expect(levels({ slots: [slot(600 * mib)], disk })).toEqual(["ok"]);
  });

  test("is given the time of the checkpoint before the next slot goes", () => {
    const seen = look({ slots: [slot(600 * mib)], disk: short, isCheckpointing: true });
    expect(seen.slots).toMatchObject([{ level: "ok" }]);
    expect(seen.disk.but).toContain("checkpoint");
    // A budget is a budget.
    expect(levels({ slots: [slot(1000 * mib)], disk: short, isCheckpointing: true })).toEqual([
      "drop",
    ]);
  });

  test("waits for what an exceeded budget frees, unless that slot is stuck", () => {
    const slots = [slot(2 * gib, "over"), slot(600 * mib, "b")];
    expect(levels({ slots, disk: short })).toEqual(["drop", "ok"]);
    const stuck = [{ ...slot(300 * mib, "over"), walBudgetBytes: 1, isStuck: true }, slot(600 * mib, "b")]; // prettier-ignore
    expect(levels({ slots: stuck, disk: short })).toEqual(["drop", "drop"]);
  });

  test("keeps a tenth free where it is small", () => {
    expect(reserveOn(400 * mib, defaultSlotLimits)).toBe(40 * mib);
    expect(reserveOn(200 * gib, defaultSlotLimits)).toBe(512 * mib);
    const small = { freeBytes: 39 * mib, totalBytes: 400 * mib, spareBytes: 0 };
    expect(levels({ slots: [slot(200 * mib)], disk: small })).toEqual(["drop"]);
    expect(levels({ slots: [slot(200 * mib)], disk: { ...small, freeBytes: 41 * mib } })).toEqual([
      "ok",
    ]);
  });
});

describe("a disk that fills", () => {
  // 128 MiB of dirty buffers at 64 MiB/s and the margin: 17 s.
  const disk = { freeBytes: 16 * gib, totalBytes: 200 * gib, spareBytes: 0 };

  test("costs the slot when a checkpoint would not end in time", () => {
    const slots = [slot(600 * mib)];
    expect(look({ slots, disk, fillBytesPerSecond: gib }).slots).toMatchObject([
      {
        level: "drop",
        rule: "wal-disk-fills",
        reason: expect.stringContaining("full in 16 s, and a checkpoint may take 17 s"),
      },
    ]);
    expect(levels({ slots, disk, fillBytesPerSecond: gib / 2 })).toEqual(["ok"]);
  });

  test("a larger cache makes it earlier", () => {
    const slots = [slot(600 * mib)];
    const input = { slots, disk, fillBytesPerSecond: gib / 4 };
    expect(levels({ ...input, dirtyBytes: gib })).toEqual(["ok"]);
    expect(levels({ ...input, dirtyBytes: 8 * gib })).toEqual(["drop"]);
  });
});

describe("whatever is seen", () => {
  const bytes = fc.integer({ min: 0, max: 200 * gib });
  const anySlot = fc.record({
    walBudgetBytes: fc.integer({ min: 1, max: 100 * gib }),
    retainedBytes: fc.option(bytes),
    isStuck: fc.boolean(),
  });
  const anyInput: fc.Arbitrary<WalBudgetInput> = fc.record({
    slots: fc
      .array(anySlot, { maxLength: 6 })
      .map((slots) => slots.map((s, i) => ({ ...s, name: `s${i}`, forNode: `n${i}` }))),
    keepers: fc.array(fc.record({ what: fc.constant("theirs"), bytes }), { maxLength: 3 }),
    disk: fc.option(fc.record({ freeBytes: bytes, totalBytes: bytes, spareBytes: bytes })),
    fillBytesPerSecond: fc.option(fc.integer({ min: 1, max: 10 * gib })),
    dirtyBytes: bytes,
    isCheckpointing: fc.boolean(),
    limits: fc.constant(defaultSlotLimits),
  });
  const held = (s: BudgetedSlot) => s.retainedBytes ?? 0;

  test("a slot over its budget is dropped, and every verdict names a rule and a reason", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { slots } = judgeWalBudget(input);
        expect(slots.map((verdict) => verdict.slot)).toEqual(input.slots);
        for (const { slot: s, level, rule, reason } of slots) {
          expect(Object.keys(walBudgetRules)).toContain(rule);
          expect(reason).not.toBe("");
          if (held(s) >= s.walBudgetBytes) expect(level).toBe("drop");
        }
      }),
    );
  });

  test("within its budget a slot is dropped only for a disk in danger, never during a checkpoint, and only for what it frees", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { slots, disk } = judgeWalBudget(input);
        const dropped = slots.filter(
          ({ slot: s, level }) => level === "drop" && held(s) < s.walBudgetBytes,
        );
        if (dropped.length === 0) return;
        expect(disk.rule).not.toBeNull();
        expect(input.isCheckpointing).toBe(false);
        const names = new Set(dropped.map(({ slot: s }) => s.name));
        const stays = Math.max(
          0,
          ...input.keepers.map((k) => k.bytes),
          ...input.slots.filter((s) => !names.has(s.name)).map(held),
        );
        const freed = Math.max(...dropped.map(({ slot: s }) => held(s))) - stays;
        expect(freed).toBeGreaterThan(0);
        for (const { slot: s } of dropped) expect(held(s)).toBeGreaterThan(stays);
      }),
      { numRuns: 2_000 },
    );
  });

  test("the smaller holder never goes for a disk before the larger", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { slots } = judgeWalBudget(input);
        const gone = slots.filter(({ level }) => level === "drop").map(({ slot: s }) => held(s));
        const stays = slots
          .filter(({ level, slot: s }) => level !== "drop" && !s.isStuck)
          .map(({ slot: s }) => held(s));
        const forDisk = slots.filter(({ rule, level }) => level === "drop" && rule !== "slot-over-budget"); // prettier-ignore
        if (forDisk.length === 0 || gone.length === 0) return;
        const least = Math.min(...forDisk.map(({ slot: s }) => held(s)));
        for (const other of stays) expect(other).toBeLessThanOrEqual(least);
      }),
    );
  });
});

describe("how fast the disk fills", () => {
  const every = (ms: number, free: (i: number) => number, count: number): readonly SpaceSample[] =>
    Array.from({ length: count }, (_, i) => ({ at: i * ms, freeBytes: free(i) })).reduce(
      (kept, sample) => keepSamples(kept, sample),
      [] as readonly SpaceSample[],
    );

  test("nothing is known before four seconds, and a disk that empties does not fill", () => {
    expect(fillRate([])).toBeNull();
    expect(fillRate(every(2_000, (i) => 100 - i, 2))).toBeNull();
    expect(fillRate(every(2_000, (i) => 100 + i, 20))).toBeNull();
  });

  test("a steady rate is that rate, and a rise in the last quarter of the minute is not averaged away", () => {
    expect(fillRate(every(2_000, (i) => 1_000_000 - 2_000 * i, 20))).toBeCloseTo(1_000);
    const rises = every(2_000, (i) => 1_000_000 - (i < 24 ? 0 : (i - 23) * 8_000), 31);
    expect(fillRate(rises)).toBeGreaterThan(3_500);
  });

  test("samples older than a minute are forgotten", () => {
    const kept = every(2_000, (i) => i, 100);
    expect(kept.length).toBeLessThanOrEqual(31);
  });
});
