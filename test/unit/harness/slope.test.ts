import { expect, test } from "vitest";
import { isFlat, slopeOf } from "#test/bench/cycles/slope.ts";

test("a straight line has its slope and no doubt", () => {
  expect(slopeOf([1, 3, 5, 7])).toEqual({ each: 2, low: 2, high: 2 });
});

test("values that only jump about are flat, and a small steady rise among them is not", () => {
  const noise = [0.4, -0.3, 0.1, -0.5, 0.2, 0.3, -0.2, -0.1, 0.5, -0.4];
  expect(isFlat(slopeOf(noise))).toBe(true);
  expect(isFlat(slopeOf(noise.map((value, at) => value + at * 0.2)))).toBe(false);
});

test("the interval is Student's: as in the tables for three, four and twelve values", () => {
  // Residues of one line: the margin is t · s / √Σ(x−x̄)².
  const margin = (values: readonly number[]) => {
    const { each, high } = slopeOf(values);
    return high - each;
  };
  expect(margin([0, 1, 0])).toBeCloseTo((12.71 * Math.sqrt(2 / 3)) / Math.SQRT2, 1);
  expect(margin([0, 1, 1, 0])).toBeCloseTo((4.303 * Math.sqrt(1 / 2)) / Math.sqrt(5), 1);
});
