/** Where a backend row that the pools have loaded points to. */
export type LoadedRow = { readonly address: string; readonly port: number };

type Entries = Readonly<Record<string, string>>;

/**
 * How two values of one entry differ, in readable words; the further lines of a value (a file's text) are told line
 * by line.
 */
export function compareLines(was: string | undefined, is: string | undefined): readonly string[] {
  if (was === is) return [];
  const [before = "absent", ...oldLines] = was?.split("\n") ?? [];
  const [after = "absent", ...newLines] = is?.split("\n") ?? [];
  if (was === undefined || is === undefined) return [`${before} -> ${after}`];
  const gone = without(oldLines, newLines).map((line) => `- ${line}`);
  const added = without(newLines, oldLines).map((line) => `+ ${line}`);
  const lines = [...gone, ...added].slice(0, 20);
  const isSameSet = lines.length === 0 && before === after;
  const changes = isSameSet ? ["its lines have another order"] : lines;
  return before === after ? changes : [`${before} -> ${after}`, ...changes];
}

function without(lines: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}

/** As it would be if the pools had not loaded the row; anything but a row that is down stays a difference. */
export function withoutLoadedRow(
  before: Entries,
  after: Entries,
  { address, port }: LoadedRow,
): Entries {
  const row = new RegExp(
    `^pool row \\d+ ${address.replaceAll(".", String.raw`\.`)}:${String(port)}$`,
  );
  return Object.fromEntries(
    Object.entries(after).flatMap(([key, value]) => {
      if (row.test(key) && before[key] === undefined && value.startsWith("down ")) return [];
      const was = before[key];
      const isLonger =
        key.startsWith("pool status file ") && was !== undefined && value === `${was}\ndown`;
      return [[key, isLonger ? was : value]];
    }),
  );
}
