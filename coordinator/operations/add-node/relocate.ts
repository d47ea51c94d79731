import type { NodePaths } from "#shared/domain/cluster.ts";

/** Folders of one node and what they are on another. */
export type Relocation = readonly { readonly from: string; readonly to: string }[];

/**
 * What differs between the folders of two nodes, without the part that is the same at the end:
 * `/srv/a/data` and `/srv/b/data` give `/srv/a` → `/srv/b`. Longest first, so that the nearest one is used.
 */
export function relocationBetween(from: NodePaths, to: NodePaths): Relocation {
  const pairs = [
    [from.dataDirectory, to.dataDirectory],
    [from.root, to.root],
    [from.binDirectory, to.binDirectory],
    [from.configFile, to.configFile],
    [from.hbaFile, to.hbaFile],
    [from.identFile, to.identFile],
  ] as const;
  const found = new Map<string, string>();
  for (const [a, b] of pairs) {
    if (a === null || b === null || a === b) continue;
    found.set(a, b);
    const parts = withoutCommonEnd(a, b);
    // A parent that would be "/" says nothing about other paths.
    if (parts !== null && !found.has(parts.from)) found.set(parts.from, parts.to);
  }
  return [...found]
    .map(([a, b]) => ({ from: a, to: b }))
    .toSorted((x, y) => y.from.length - x.from.length);
}

/** The path on the other node; the same where nothing of it moved. */
export function relocate(path: string, relocation: Relocation): string {
  for (const { from, to } of relocation) {
    if (path === from) return to;
    if (path.startsWith(`${from}/`)) return to + path.slice(from.length);
  }
  return path;
}

/** Every absolute path in a longer text, e.g. a command; a path ends at a blank, quote, comma or semicolon. */
export function relocateInText(text: string, relocation: Relocation): string {
  return text.replace(/\/[^\s'",;:]*/g, (path) => relocate(path, relocation));
}

function withoutCommonEnd(a: string, b: string): { from: string; to: string } | null {
  const from = a.split("/");
  const to = b.split("/");
  while (from.length > 1 && to.length > 1 && from.at(-1) === to.at(-1)) {
    from.pop();
    to.pop();
  }
  return from.length < 2 || to.length < 2
    ? null
    : { from: from.join("/") || "/", to: to.join("/") || "/" };
}
