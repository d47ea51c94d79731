import { stepText } from "#shared/domain/guard.ts";
import type { WhyAnswer } from "../../api/contract.ts";
import type { GuardMoment } from "../../api/guard-contract.ts";
import { indent } from "./table.ts";
import { renderTime } from "./units.ts";
import { wrap } from "./wrap.ts";

/** Of a terminal that nobody has widened, less what stands before. */
const width = 62;

/** What is known now, then what the guard decided last; of a moment in the past only the latter. */
export function renderWhy({ lines, moment }: WhyAnswer): readonly string[] {
  const known = lines.flatMap(wrapped);
  if (moment === null) return known;
  return [...known, ...(known.length === 0 ? [] : [""]), ...renderMoment(moment)];
}

/** What belongs to a long line stands further in. */
function wrapped(line: string): readonly string[] {
  const own = line.length - line.trimStart().length;
  return wrap(line.trimStart(), 76 - own).map(
    (part, i) => " ".repeat(own + (i === 0 ? 0 : 4)) + part,
  );
}

function renderMoment(moment: GuardMoment): readonly string[] {
  const { node, at, decidedAt, decisions, standing, inputs, nearMisses } = moment;
  return [
    `${node} at ${renderTime(at)}: its guard last decided at ${renderTime(decidedAt)}`,
    ...decisions.flatMap((decision) => ["", ...renderDecision(decision)]),
    "",
    "The facts that it looked at",
    ...factLines(inputs),
    ...section(
      "Rules that nearly fired",
      nearMisses.flatMap(({ rule, evidence, missing }) => [
        rule,
        ...labelled("seen", evidence),
        ...labelled("missing", missing),
      ]),
    ),
    ...section(
      "What stood at that time",
      standing.flatMap(({ rule, since, evidence }) => [
        `${rule} since ${renderTime(since)}`,
        ...labelled("seen", evidence),
      ]),
    ),
  ];
}

function renderDecision(decision: GuardMoment["decisions"][number]): readonly string[] {
  const { rule, because, evidence, steps, outcome, why } = decision;
  const isOver = outcome === "cleared";
  return [
    isOver ? `${rule} was over` : `${rule} fired`,
    ...labelled("because", isOver ? `no longer so: ${because}` : because),
    ...labelled(isOver ? "seen last" : "seen", evidence),
    ...steps.flatMap((step, index) => labelled(index === 0 ? "steps" : "", stepText(step))),
    ...(isOver ? [] : labelled("outcome", outcomeText(outcome, steps.length))),
    ...(why === null ? [] : labelled(outcome === "done" ? "seen then" : "why", why)),
  ];
}

function outcomeText(outcome: string, steps: number): string {
  if (outcome === "would") {
    return steps === 0 ? "told; this rule does nothing else" : "told: the guard only observes here";
  }
  if (outcome === "begun") return "under way, as last told";
  return outcome === "held" ? "held back" : outcome;
}

function section(heading: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", heading, ...indent(lines, "  ")];
}

function labelled(label: string, text: string): readonly string[] {
  return wrap(text, width).map((line, i) => `  ${(i === 0 ? label : "").padEnd(9)}  ${line}`);
}

/** A line a section, as `key: value` pairs: what is unknown or empty is left out. */
function factLines(inputs: unknown): readonly string[] {
  if (typeof inputs !== "object" || inputs === null) return [];
  return Object.entries(inputs).flatMap(([name, value]) => {
    const text = words(value);
    return text === ""
      ? []
      : wrap(text, width).map((line, i) => `  ${(i === 0 ? name : "").padEnd(12)} ${line}`);
  });
}

function words(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(words).filter(Boolean).join("; ");
  if (typeof value === "string") return value;
  if (typeof value !== "object") return JSON.stringify(value);
  return Object.entries(value)
    .flatMap(([key, inner]) => (words(inner) === "" ? [] : [`${key}: ${words(inner)}`]))
    .join(", ");
}
