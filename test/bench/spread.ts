/** Median and range of repeated measurements. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number };

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError("nothing was measured");
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? upper) : upper;
  return {
    median: round((lower + upper) / 2),
    min: round(sorted[0] ?? upper),
    max: round(sorted.at(-1) ?? upper),
  };
}

export function round(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}

/** "2.31 s (2.20–2.45)" */
export function renderSpread({ median, min, max }: Spread, unit: string, digits = 2): string {
  return `${median.toFixed(digits)} ${unit} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}
