/** `> 600`: what a number is compared with; null for any other text. */
export type Threshold = (value: number) => boolean;

const comparisons: Readonly<Record<string, (value: number, limit: number) => boolean>> = {
  ">": (value, limit) => value > limit,
  ">=": (value, limit) => value >= limit,
  "<": (value, limit) => value < limit,
  "<=": (value, limit) => value <= limit,
  "=": (value, limit) => value === limit,
  "!=": (value, limit) => value !== limit,
};

export function parseThreshold(text: string): Threshold | null {
  const [, sign = "", number] = /^\s*(>=|<=|!=|>|<|=)\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text) ?? [];
  const compare = comparisons[sign];
  if (compare === undefined || number === undefined) return null;
  const limit = Number(number);
  return (value) => compare(value, limit);
}
