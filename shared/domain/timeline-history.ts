import { lsnDistance } from "./lsn.ts";

/** `1\t0/5000148\tno recovery target specified`: where a timeline was left for the next one. */
const entry = /^\s*(\d+)\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})/;

type Branch = { readonly timeline: number; readonly end: string | null };

/**
 * Where two servers parted: on which timeline, at which position; the position is null where the first one is an
 * ancestor of the second. null: they have nothing in common. From the `NNNNNNNN.history` of each (PostgreSQL docs, WAL
 * internals). Timelines of one number that began at different positions are two: each server had a promotion of its own.
 */
export function partingOf(
  a: { readonly history: string; readonly timeline: number },
  b: { readonly history: string; readonly timeline: number },
): { readonly timeline: number; readonly at: string | null } | null {
  const [first, second] = [branchesOf(a), branchesOf(b)];
  let parted: { readonly timeline: number; readonly at: string | null } | null = null;
  for (const [index, branch] of first.entries()) {
    const other = second[index];
    if (other?.timeline !== branch.timeline) break;
    parted = { timeline: branch.timeline, at: lesser(branch.end, other.end) };
    if ((lsnDistance(branch.end, other.end) ?? 1) !== 0) break;
  }
  return parted;
}

function branchesOf({
  history,
  timeline,
}: {
  readonly history: string;
  readonly timeline: number;
}): readonly Branch[] {
  // prettier-ignore
  const ancestors = history.split("\n").flatMap((line): Branch[] => {
    const match = entry.exec(line);
    return match === null ? [] : [{ timeline: Number(match[1]), end: match[2] ?? null }];
  });
  return [...ancestors, { timeline, end: null }];
}

function lesser(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return (lsnDistance(a, b) ?? 0) >= 0 ? a : b;
}
