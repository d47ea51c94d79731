import type { Course } from "./course.ts";
import type { Product, Strike } from "./strike.ts";
import { strikeName } from "./strike.ts";
import type { StrikeResult } from "./worker.ts";

export type Part = {
  readonly operation: Course["operation"];
  readonly product: Product;
  /** Crash points of the sources that nothing reached, and nothing explains. */
  readonly unexplained: readonly string[];
  readonly results: readonly StrikeResult[];
  readonly seconds: number;
};

/** One line as soon as a run is over. */
export function renderResult(result: StrikeResult, number: number, of: number): readonly string[] {
  const { strike, state, seconds, complaints, kept } = result;
  const verdict = complaints.length === 0 ? "ok  " : "FAIL";
  const head = `${verdict} ${String(number).padStart(3)}/${of} ${strikeName(strike)}: ${state}, ${seconds.toFixed(1)} s`;
  return [head, ...complaints.map((line) => `       ${line}`), ...(kept === null ? [] : [`       kept: ${kept}`])]; // prettier-ignore
}

/** Points down, modes across, in each cell how the operation ended and the seconds that it took. */
export function renderTable({ operation, product, results }: Part): readonly string[] {
  const modes = [...new Set(results.map(({ strike }) => strike.mode))];
  const rows = new Map<string, Map<string, string>>();
  for (const { strike, state, seconds, complaints } of results) {
    const row = `${strike.process} ${strike.point}`;
    const cells = rows.get(row) ?? new Map<string, string>();
    const verdict = complaints.length === 0 ? state : `**${state}, wrong**`;
    rows.set(row, cells.set(strike.mode, `${verdict} ${seconds.toFixed(1)} s`));
  }
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `## ${operation}, ${product}`,
    "",
    `| point | ${modes.join(" | ")} |`,
    `| --- |${" --- |".repeat(modes.length)}`,
    ...sorted.map(
      ([point, cells]) => `| \`${point}\` | ${modes.map((m) => cells.get(m) ?? "").join(" | ")} |`,
    ),
    "",
  ];
}

export function renderSummary(parts: readonly Part[]): readonly string[] {
  return parts.flatMap((part) => {
    const { operation, product, results, seconds } = part;
    const bad = results.filter(({ complaints }) => complaints.length > 0);
    const points = new Set(results.map(({ strike }) => `${strike.process} ${strike.point}`)).size;
    return [
      `${operation}, ${product}: ${results.length} runs at ${points} points in ${Math.round(seconds / 60)} min, ${bad.length} failed`,
      ...bad.map(({ strike }) => `  again: ${commandFor(part, strike)}`),
    ];
  });
}

export function isGood({ results, unexplained }: Part): boolean {
  return unexplained.length === 0 && results.every(({ complaints }) => complaints.length === 0);
}

export function summary(parts: readonly Part[]): object {
  return {
    ok: parts.every(isGood),
    parts: parts.map(({ operation, product, unexplained, results, seconds }) => ({
      operation,
      product,
      unexplained,
      runs: results.length,
      failed: results.filter(({ complaints }) => complaints.length > 0).length,
      seconds: Math.round(seconds),
      results: results.map(({ strike, ...end }) => ({ name: strikeName(strike), ...end })),
    })),
  };
}

function commandFor({ operation, product }: Part, strike: Strike): string {
  const pattern = strikeName(strike).replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return `npm run test:matrix -- --operation ${operation} --product ${product} --only '^${pattern}$'`;
}
