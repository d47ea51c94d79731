import { expect, test } from "vitest";
import { judgeWalBudget, walReserveBytes, type BudgetedSlot } from "#agent/decide/wal-budget.ts";

const mib = 1024 * 1024;
const plenty = 100 * 1024 * mib;

function slot(retainedBytes: number | null, name = "slot_srv159"): BudgetedSlot {
  return { name, forNode: "srv159", walBudgetBytes: 1000 * mib, retainedBytes };
}

function levels(slots: readonly BudgetedSlot[], walFreeBytes: number | null = plenty): string[] {
  return judgeWalBudget({ slots, walFreeBytes }).map((verdict) => verdict.level);
}

test("a slot is warned about from 70 % of its budget and dropped at 100 %", () => {
  expect(levels([slot(699 * mib)])).toEqual(["ok"]);
  expect(levels([slot(700 * mib)])).toEqual(["warn"]);
  expect(levels([slot(1000 * mib - 1)])).toEqual(["warn"]);
  expect(levels([slot(1000 * mib)])).toEqual(["drop"]);
});

test("a slot that reserves nothing, or isn't there, is well within its budget", () => {
  expect(levels([slot(null)])).toEqual(["ok"]);
});

test("when the disk is short the largest slot goes first, the others wait for the next look", () => {
  const short = walReserveBytes - 1;
  expect(levels([slot(300 * mib, "a"), slot(400 * mib, "b")], short)).toEqual(["ok", "drop"]);
  expect(levels([slot(300 * mib, "a"), slot(400 * mib, "b")], walReserveBytes)).toEqual([
    "ok",
    "ok",
  ]);
});

test("a slot that holds back little is not dropped for a disk that something else fills", () => {
  expect(levels([slot(64 * mib)], 0)).toEqual(["ok"]);
});

test("an unknown free space drops nothing", () => {
  expect(levels([slot(500 * mib)], null)).toEqual(["ok"]);
});
