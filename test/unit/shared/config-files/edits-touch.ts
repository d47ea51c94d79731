import { expect } from "vitest";
import { diffLines } from "#shared/config-files/line-diff.ts";
import { splitLines } from "#shared/config-files/text-file.ts";

/** The lines that an edit took out and put in. */
export type Touched = { readonly removed: readonly string[]; readonly added: readonly string[] };

export function touchedLines(before: string, after: string): Touched {
  const [a, b] = [before, after].map((text) => splitLines(text).map((line) => line.text));
  const changes = diffLines(a ?? [], b ?? []);
  return {
    removed: changes.flatMap((change) => a?.slice(change.beforeStart, change.beforeEnd) ?? []),
    added: changes.flatMap((change) => b?.slice(change.afterStart, change.afterEnd) ?? []),
  };
}

/** Lines may come, each of them ours; none goes. */
export function onlyAdds({ removed, added }: Touched, ours: RegExp, most: number): void {
  expect(removed).toEqual([]);
  expect(added.length).toBeLessThanOrEqual(most);
  for (const line of added) expect(line).toMatch(ours);
}

/** Lines may go, each of them ours; none comes. */
export function onlyRemoves({ removed, added }: Touched, ours: RegExp): void {
  expect(added).toEqual([]);
  for (const line of removed) expect(line).toMatch(ours);
}

/** One line may come, or become another one. */
export function changesOneLine({ removed, added }: Touched, ours: RegExp): void {
  expect(added.length).toBeLessThanOrEqual(1);
  expect(removed.length).toBeLessThanOrEqual(added.length);
  for (const line of [...removed, ...added]) expect(line).toMatch(ours);
}
