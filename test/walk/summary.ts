import type { WalkResult } from "./run-seed.ts";

/** One line a walk, and the sums. A fault whose moment never came stands in brackets. */
export function table(results: readonly WalkResult[], seconds: number): readonly string[] {
  const rows = results.map((result) => [
    String(result.seed),
    result.product === "postgresql" ? "postgresql" : "kingbase",
    result.faults.join(", "),
    result.ok ? result.end : `FAILED (${result.end})`,
    `${result.resumes}/${result.aborts}`,
    `${result.sessionsLost}/${result.clientErrors}`,
    String(result.rowsAcknowledged),
    String(result.seconds),
  ]);
  const head = ["seed", "product", "faults", "end", "resumes/aborts", "lost/errors", "rows", "s"];
  const widths = head.map((word, column) =>
    Math.max(word.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const ends = (end: WalkResult["end"]): number =>
    results.filter((r) => r.ok && r.end === end).length;
  const failed = results.filter(({ ok }) => !ok).map(({ seed }) => seed);
  const faults = results.flatMap((result) => result.faults);
  const came = faults.filter((fault) => !fault.startsWith("("));
  return [
    line(head),
    ...rows.map(line),
    "",
    `${results.length} walks in ${Math.round(seconds)} s: ${ends("added")} added, ${ends("as before")} as before, ${failed.length} failed${failed.length === 0 ? "" : ` (seeds ${failed.join(", ")})`}; ${came.length} of ${faults.length} faults came.`,
  ];
}
