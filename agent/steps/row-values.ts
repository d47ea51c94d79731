import { Failure } from "#shared/errors.ts";
import type { Row } from "../ports.ts";

/** Columns of a result, checked: what a driver or another product gives for them is unknown until then. */
export function textOrNull(row: Row, column: string): string | null {
  const value = row[column];
  if (value === null) return null;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw unexpected(column, value);
}

export function text(row: Row, column: string): string {
  return textOrNull(row, column) ?? "";
}

export function count(row: Row | undefined, column: string): number {
  const value = Number(row?.[column]);
  if (!Number.isFinite(value)) throw unexpected(column, row?.[column]);
  return value;
}

/** Drivers give a boolean, text protocols `t`. */
export function flag(row: Row | undefined, column: string): boolean {
  const value = row?.[column];
  return value === true || value === "t" || value === "true" || value === "on";
}

function unexpected(column: string, value: unknown): Failure {
  return new Failure("INTERNAL", `column ${column} came back as ${typeof value}`);
}
