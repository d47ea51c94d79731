import { round } from "../spread.ts";

/** Change from one value to the next by least squares, with its 95 % confidence interval. */
export type Slope = { readonly each: number; readonly low: number; readonly high: number };

/** At least three values. */
export function slopeOf(values: readonly number[]): Slope {
  const n = values.length;
  if (n < 3) throw new RangeError("a slope with a confidence interval needs three values");
  const meanX = (n - 1) / 2;
  const meanY = values.reduce((sum, y) => sum + y, 0) / n;
  const sumXX = values.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  const slope = values.reduce((sum, y, x) => sum + (x - meanX) * (y - meanY), 0) / sumXX;
  const residues = values.reduce((sum, y, x) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  const error = Math.sqrt(residues / (n - 2) / sumXX);
  const margin = studentQuantile(n - 2) * error;
  return { each: round(slope), low: round(slope - margin), high: round(slope + margin) };
}

/** Student's t for 95 % on both sides: within 1 % of the tables from two degrees of freedom on. */
function studentQuantile(freedom: number): number {
  if (freedom === 1) return 12.71;
  return 1.96 + 2.37 / freedom + 2.8 / freedom ** 2 + 3 / freedom ** 3;
}

/** Whether the interval has nothing against values that stay where they are. */
export function isFlat({ low, high }: Slope): boolean {
  return low <= 0 && high >= 0;
}
