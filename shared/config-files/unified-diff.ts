import { diffLines, type LineChange } from "./line-diff.ts";
import { splitLines } from "./text-file.ts";

export type UnifiedDiffOptions = {
  /** Shown in the two header lines. */
  readonly path: string;
  /** Unchanged lines around a change. */
  readonly context?: number;
};

/** The change as `diff -u` prints it, and as `patch` reads it; empty when the texts are equal. */
export function unifiedDiff(before: string, after: string, options: UnifiedDiffOptions): string {
  if (before === after) return "";
  const context = options.context ?? 3;
  const a = splitLines(before).map((line) => line.text + line.eol);
  const b = splitLines(after).map((line) => line.text + line.eol);
  const hunks = groupChanges(diffLines(a, b), context).map((changes) =>
    printHunk(changes, a, b, context),
  );
  return `--- ${options.path}\n+++ ${options.path}\n${hunks.join("")}`;
}

/** Changes whose contexts touch share a hunk. */
function groupChanges(
  changes: readonly LineChange[],
  context: number,
): readonly (readonly LineChange[])[] {
  const groups: LineChange[][] = [];
  for (const change of changes) {
    const group = groups.at(-1);
    const previous = group?.at(-1);
    const near = previous !== undefined && change.beforeStart - previous.beforeEnd <= 2 * context;
    if (near && group !== undefined) group.push(change);
    else groups.push([change]);
  }
  return groups;
}

function printHunk(
  changes: readonly LineChange[],
  before: readonly string[],
  after: readonly string[],
  context: number,
): string {
  const first = changes[0];
  const last = changes.at(-1);
  if (first === undefined || last === undefined) return "";
  const lead = Math.min(context, first.beforeStart);
  const tail = Math.min(context, before.length - last.beforeEnd);
  const beforeStart = first.beforeStart - lead;
  const afterStart = first.afterStart - lead;
  const beforeCount = last.beforeEnd + tail - beforeStart;
  const afterCount = last.afterEnd + tail - afterStart;
  const pieces = [`@@ -${range(beforeStart, beforeCount)} +${range(afterStart, afterCount)} @@\n`];
  let at = beforeStart;
  for (const change of changes) {
    pieces.push(printLinesWith(" ", before.slice(at, change.beforeStart)));
    pieces.push(printLinesWith("-", before.slice(change.beforeStart, change.beforeEnd)));
    pieces.push(printLinesWith("+", after.slice(change.afterStart, change.afterEnd)));
    at = change.beforeEnd;
  }
  pieces.push(printLinesWith(" ", before.slice(at, at + tail)));
  return pieces.join("");
}

/** An empty range names the line before it. */
function range(start: number, count: number): string {
  const first = count === 0 ? start : start + 1;
  return count === 1 ? String(first) : `${first},${count}`;
}

function printLinesWith(sign: " " | "-" | "+", lines: readonly string[]): string {
  return lines
    .map((line) =>
      line.endsWith("\n") ? sign + line : `${sign}${line}\n\\ No newline at end of file\n`,
    )
    .join("");
}
