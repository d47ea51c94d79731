import type { Snapshot } from "#test/harness/snapshot.ts";

/** A snapshot without what differs between two runs of one operation: ids, moments, identities, hashes over those. */
export function likeness(snapshot: Snapshot): Snapshot {
  return Object.fromEntries(
    Object.entries(snapshot).map(([host, entries]) => [
      host,
      Object.fromEntries(
        Object.entries(entries).map(([key, value]) => [alike(key), alikeValue(key, value)]),
      ),
    ]),
  );
}

function alike(text: string): string {
  return text.replaceAll(/op-[a-z0-9]{8,20}/g, "op-ID");
}

function alikeValue(key: string, value: string): string {
  // Lines that name the operation stand in these files.
  if (/^baseline .*hba\.conf$/.test(key)) return "accepted";
  // A detached job: when it began, and as which process.
  if (/\/jobs\/.*\/(?:process|job\.json)$/.test(key)) return value.slice(0, value.indexOf(","));
  const [about = "", ...lines] = value.split("\n");
  if (lines.length === 0) return alike(value);
  const text = alike(lines.join("\n"));
  // Its length and hash say no more than its text does.
  const head = about.replace(/, \d+ bytes [0-9a-f]+$/, "");
  return `${head}\n${key.includes("/ledger/") ? alikeRecord(text) : text}`;
}

/** A ledger's record: what was made, without when, as which inode, from which bytes, at which attempt. */
function alikeRecord(text: string): string {
  return JSON.stringify(alikePart("", JSON.parse(text)));
}

/** Which member was noted first tells nothing. */
function alikePart(name: string, value: unknown): unknown {
  if (Array.isArray(value)) {
    return name === "children" ? [] : value.map((inner) => alikePart(name, inner));
  }
  if (typeof value === "number") return isMoment(name) || value >= 100 ? 0 : value;
  if (typeof value === "string") {
    if (/^[0-9a-f]{64}$/.test(value)) return "HASH";
    return /^\d{3,}(?:\.\d+)?$/.test(value) ? 0 : value;
  }
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(
    ([key, inner]) => [key, alikePart(key, inner)] as const,
  );
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isMoment(name: string): boolean {
  return ["at", "generation", "elapsedMs", "parent"].includes(name);
}
