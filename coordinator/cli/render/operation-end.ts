import type { OperationEnd } from "../../operations/operation-end.ts";
import { wrap } from "./wrap.ts";

/** A terminal that nobody has widened. */
const width = 80;
const labelWidth = 10;

/** Cause, evidence, what was undone, what needs a hand, what to type: in this order, in 80 columns. */
export function renderEnd(id: string, end: OperationEnd): readonly string[] {
  const { state, means, step, cause, undone, byHand, choices } = end;
  const isFailure = state !== "succeeded" && cause !== null;
  return [
    `${id} is ${state}`,
    ...wrap(means, width - 2).map((line) => `  ${line}`),
    ...(step === null || !isFailure ? [] : labelled("Step", [`${step.title}  [${step.id}]`])),
    ...(isFailure ? labelled("Cause", [`${cause.code}: ${cause.message}`]) : []),
    ...(isFailure && cause.evidence.length > 0 ? labelled("Evidence", cause.evidence) : []),
    ...(isFailure && cause.hint !== null ? labelled("To mend", [cause.hint]) : []),
    ...(undone.length > 0 ? labelled("Undone", undone) : []),
    ...(byHand.length > 0
      ? byHand.flatMap(({ what, why }, index) => renderLeft(index === 0, what, why))
      : []),
    ...(choices.length > 0 ? ["  Type"] : []),
    // Never wrapped: what is copied from a terminal must be one line.
    ...choices.flatMap(({ command, does }) => [`    ${command}`, `        ${does}`]),
  ];
}

/** What is typed (after "run there:") stands on a line of its own, whole. */
function renderLeft(isFirst: boolean, what: string, why: string): readonly string[] {
  const [said = "", typed] = what.split(/(?<=: run there:) /);
  return [
    ...labelled(isFirst ? "By hand" : "", [said]),
    ...(typed === undefined ? [] : [`    ${typed}`]),
    ...labelled("", [`because: ${why}`]),
  ];
}

function labelled(label: string, texts: readonly string[]): readonly string[] {
  const space = " ".repeat(2 + labelWidth);
  const lines = texts.flatMap((text) => wrap(text, width - 2 - labelWidth));
  return lines.map((line, index) =>
    index === 0 ? `  ${label.padEnd(labelWidth)}${line}`.trimEnd() : `${space}${line}`,
  );
}
