import { decodeUtf8 } from "./text-file.ts";

/** One thing that a new version of a file means and the old one did not. Values are masked and made readable. */
export type ConfigChange = {
  readonly kind: ConfigChangeKind;
  /** What changed: a setting's name, a rule, a backend, a user. */
  readonly subject: string;
  readonly from: string | null;
  readonly to: string | null;
  /** Where it stands in the old version, and where in the new one. */
  readonly fromLine: number | null;
  readonly toLine: number | null;
};

/**
 * - `commented-out`, `commented-in`: the line is still there, or was there, as a comment;
 * - `moved`: the same, at another place of an order that counts;
 * - `renumbered`: a backend that has another id now;
 * - `repeated`: it stands there more often than before, and only one counts;
 * - `broken`, `mended`: what can't be read as it was meant;
 * - `no-effect`: only comments, blanks or lines that don't count;
 * - `more`: that many were left out.
 */
type ConfigChangeKind =
  | "added"
  | "removed"
  | "changed"
  | "commented-out"
  | "commented-in"
  | "moved"
  | "renumbered"
  | "repeated"
  | "broken"
  | "mended"
  | "no-effect"
  | "more";

/** `port: 5432 -> 54321 (line 63)` */
export function printConfigChange(change: ConfigChange): string {
  return `${whatChanged(change)}${whereChanged(change)}`;
}

function whatChanged({ kind, subject, from, to }: ConfigChange): string {
  switch (kind) {
    case "added":
      return `${subject} added${to === null ? "" : `: ${to}`}`;
    case "removed":
      return `${subject} removed${from === null ? "" : `, was ${from}`}`;
    case "changed":
      return `${subject}: ${from ?? ""} -> ${to ?? ""}`;
    case "commented-out":
      return `${subject} commented out${from === null ? "" : `, was ${from}`}`;
    case "commented-in":
      return `${subject} no longer commented out${to === null ? "" : `: ${to}`}`;
    case "moved":
      return `${subject} moved: the order counts`;
    case "renumbered":
      return `${subject} has another number: ${from ?? ""} -> ${to ?? ""}`;
    case "repeated":
      return `${subject} stands ${to ?? "several"} times, this one counts`;
    case "broken":
      return `can't be read: ${subject}`;
    case "mended":
      return `is mended: ${subject}`;
    case "no-effect":
      return "nothing that counts has changed: comments, blanks or lines without effect";
    case "more":
      return `and ${to ?? "some"} more`;
  }
}

function whereChanged({ fromLine, toLine }: ConfigChange): string {
  if (toLine === null) return fromLine === null ? "" : ` (was line ${fromLine})`;
  const before = fromLine === null || fromLine === toLine ? "" : `, was ${fromLine}`;
  return ` (line ${toLine}${before})`;
}

/** Longer ones are cut: a line may be as long as the file. */
const longestValue = 200;

/** A value as people read it: decoded, on one line, quoted only where nothing would be seen. */
export function shownValue(value: string): string {
  const cut = value.length > longestValue ? `${value.slice(0, longestValue)}...` : value;
  const text = decodeUtf8(cut);
  return text.trim() === text && text !== "" && !hasControls(text) ? text : JSON.stringify(text);
}

function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) < 32 || text.charCodeAt(index) === 127) return true;
  }
  return false;
}
