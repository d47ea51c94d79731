import type { FailureRecord } from "#shared/domain/operation.ts";
import type { OperationSummary, ShownOperation } from "../../api/contract.ts";
import type { OperationRecord } from "../../store/store.ts";
import { renderEnd } from "./operation-end.ts";
import { renderPlan } from "./plan.ts";
import { indent, renderTable } from "./table.ts";
import { renderDuration, renderTime } from "./units.ts";

export function renderOperationList(operations: readonly OperationSummary[]): readonly string[] {
  if (operations.length === 0) return ["No operation was ever asked for."];
  return renderTable(
    ["ID", "KIND", "CLUSTER", "NODE", "STATE", "STEPS", "BY", "ASKED", "TOOK"],
    operations.map((operation) => [
      operation.id,
      operation.kind,
      operation.cluster,
      operation.subject,
      operation.state,
      `${operation.stepsDone}/${operation.stepsPlanned}`,
      operation.requestedBy,
      renderTime(operation.requestedAt),
      took(operation),
    ]),
  );
}

function took(operation: Pick<OperationRecord, "startedAt" | "endedAt">): string {
  const { startedAt, endedAt } = operation;
  return startedAt === null || endedAt === null ? "-" : renderDuration(endedAt - startedAt);
}

/**
 * Everything of one operation: its plan, what happened, and last, where a terminal leaves the eye, how it stands and
 * what to type.
 */
export function renderOperation(operation: ShownOperation): readonly string[] {
  return [
    ...renderHead(operation),
    "",
    "Plan as it was made",
    ...indent(renderPlan(operation.plan), "  "),
    "",
    "What happened",
    ...indent(renderSteps(operation), "  "),
    "",
    ...renderEnd(operation.id, operation.end),
  ];
}

function renderHead(operation: OperationRecord): readonly string[] {
  return [
    `${operation.id}: ${operation.kind} ${operation.subject} to ${operation.cluster} is ${operation.state}`,
    `asked by ${operation.requestedBy} at ${renderTime(operation.requestedAt)}, took ${took(operation)}, on failure: ${operation.onFailure}`,
  ];
}

function renderSteps(operation: OperationRecord): readonly string[] {
  const lines: string[] = [];
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
  return lines;
}

function evidenceLines(evidence: unknown): readonly string[] {
  if (typeof evidence !== "object" || evidence === null || !("lines" in evidence)) return [];
  return Array.isArray(evidence.lines) ? evidence.lines.map(String) : [];
}

function renderFailure(failure: FailureRecord): readonly string[] {
  return [
    `${failure.code}: ${failure.message}`,
    ...indent(failure.evidence, "  | "),
    ...(failure.hint === null ? [] : [`next: ${failure.hint}`]),
  ];
}
