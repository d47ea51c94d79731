import type { Row } from "../ports.ts";

/** Values of a result row, whichever driver or JSON they came through. */

export function textOf(row: Row, column: string): string | null {
  const value = row[column];
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? String(value)
    : null;
}

export function numberOf(row: Row, column: string): number | null {
  const text = textOf(row, column);
  const number = text === null || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : null;
}

/** Drivers give booleans or the server's `t`/`f`. */
export function flagOf(row: Row, column: string): boolean {
  return ["t", "true", "on", "1"].includes((textOf(row, column) ?? "").toLowerCase());
}

/** A JSON object as a row with lower-case names; null for anything else. */
export function rowOfJson(text: string): Row | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return Object.fromEntries(
    Object.entries(value).map(([name, content]) => [name.toLowerCase(), content]),
  );
}
