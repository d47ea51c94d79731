/** A position in the WAL as the server prints it, e.g. `0/3000148`. */
export function parseLsn(text: string): bigint | null {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text.trim());
  const high = match?.[1];
  const low = match?.[2];
  if (high === undefined || low === undefined) return null;
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** Bytes from `from` to `to`; null where either is not a position. May be negative. */
export function lsnDistance(from: string | null, to: string | null): number | null {
  const a = from === null ? null : parseLsn(from);
  const b = to === null ? null : parseLsn(to);
  return a === null || b === null ? null : Number(b - a);
}

/** The one that is further on; what is no position does not count. */
export function greaterLsn(a: string | null, b: string | null): string | null {
  const known = [a, b].filter((text) => text !== null && parseLsn(text) !== null);
  const [first = null, second = null] = known;
  return (lsnDistance(first, second) ?? 0) > 0 ? second : first;
}
