import type { FailureRecord } from "#shared/domain/operation.ts";
import type { OperationRecord } from "../../store/store.ts";
import { renderPlan } from "./plan.ts";
import { indent, renderTable } from "./table.ts";
import { renderDuration, renderTime } from "./units.ts";

export function renderOperationList(operations: readonly OperationRecord[]): readonly string[] {
  if (operations.length === 0) return ["No operation was ever asked for."];
  return renderTable(
    ["ID", "KIND", "CLUSTER", "NODE", "STATE", "BY", "ASKED", "TOOK"],
    operations.map((operation) => [
      operation.id,
      operation.kind,
      operation.cluster,
      operation.subject,
      operation.state,
      operation.requestedBy,
      renderTime(operation.requestedAt),
      took(operation),
    ]),
  );
}

function took(operation: OperationRecord): string {
  const { startedAt, endedAt } = operation;
  return startedAt === null || endedAt === null ? "-" : renderDuration(endedAt - startedAt);
}

/** Everything of one operation: what happened, when, with what evidence, and what to type next. */
function renderOperation(operation: OperationRecord): readonly string[] {
  const lines = [
    `${operation.id}: ${operation.kind} ${operation.subject} to ${operation.cluster} is ${operation.state}`,
    `asked by ${operation.requestedBy} at ${renderTime(operation.requestedAt)}, took ${took(operation)}, on failure: ${operation.onFailure}`,
    "",
  ];
  for (const [index, step] of operation.plan.steps.entries()) {
    const record = operation.steps[index];
    if (record === undefined) continue;
    const time =
      record.startedAt !== null && record.endedAt !== null
        ? `  ${renderTime(record.startedAt)}  ${renderDuration(record.endedAt - record.startedAt)}`
        : "";
    const attempts = record.attempt > 1 ? `  (${record.attempt} attempts)` : "";
    lines.push(`${record.state.padEnd(11)} ${step.title}  [${step.id}]${time}${attempts}`);
    lines.push(...indent(evidenceLines(record.evidence), "              "));
    if (record.failure !== null)
      lines.push(...indent(renderFailure(record.failure), "              "));
  }
  if (operation.failure !== null) lines.push("", ...renderFailure(operation.failure));
  lines.push("", ...renderChoices(operation));
  return lines;
}

/** The same operation with its plan: checks, forecast and the exact edits. */
export function renderOperationWithPlan(operation: OperationRecord): readonly string[] {
  return [
    ...renderOperation(operation),
    "",
    "Plan as it was made",
    ...indent(renderPlan(operation.plan), "  "),
  ];
}

function evidenceLines(evidence: unknown): readonly string[] {
  if (typeof evidence !== "object" || evidence === null || !("lines" in evidence)) return [];
  return Array.isArray(evidence.lines) ? evidence.lines.map(String) : [];
}

export function renderFailure(failure: FailureRecord): readonly string[] {
  return [
    `${failure.code}: ${failure.message}`,
    ...indent(failure.evidence, "  | "),
    ...(failure.hint === null ? [] : [`next: ${failure.hint}`]),
  ];
}

/** What the operator can type now. */
export function renderChoices(operation: OperationRecord): readonly string[] {
  const { id, state, subject, cluster } = operation;
  switch (state) {
    case "paused":
      return [
        "The operation is paused; nothing more happens by itself. Either",
        `  castellan operation resume ${id}   go on where it was, after the cause is mended`,
        `  castellan operation abort ${id}    take back everything that it made`,
      ];
    case "needs-attention":
      return [
        "Not everything could be taken back; what is left is named above. When it is mended:",
        `  castellan operation abort ${id}          tries the undo again`,
        `  castellan operation abort ${id} --leave  only if a host is gone for good: ends it all the same`,
      ];
    case "succeeded":
      return [`${subject} is a node of ${cluster}: castellan status`];
    case "rolled-back":
      return [
        operation.failure?.code === "OPERATION_NEEDS_ATTENTION"
          ? `Ended by an operator; what was left is in: castellan operation show ${id}`
          : "Everything that it made was taken back.",
      ];
    case "cancelled":
      return ["It was cancelled before anything was touched."];
    case "planned":
    case "running":
    case "rolling-back":
      return [
        `castellan operation watch ${id}   to look on`,
        `castellan operation abort ${id}   to take it back`,
      ];
  }
}
