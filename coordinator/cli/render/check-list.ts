import type { CheckFacts } from "#shared/domain/facts.ts";
import type { ChecksAnswer } from "../../api/contract.ts";
import { renderTable } from "./table.ts";
import { renderDuration, renderTime } from "./units.ts";

/** The table of `castellan check list`; what an agent that is away told last is told as such. */
export function renderCheckList({ nodes }: ChecksAnswer): readonly string[] {
  const rows = nodes.flatMap(({ node, checks }) => checks.map((check) => cells(node, check)));
  const notes = nodes.flatMap(
    ({ node, agent }) =>
    agent === "connected"
      ? []
      : [agent === "away" ? `  ${node}: its agent is away: as it was told last` : `  ${node}: no agent of it has joined`], // prettier-ignore
  );
  if (rows.length === 0) return ["No checks.", ...notes];
  return [...renderTable(headings, rows), ...notes];
}

const headings = ["NODE", "CHECK", "SCHEDULE", "LAST RUN", "TOOK", "NEXT RUN", "FOUND", "RESULT"];

function cells(node: string, check: CheckFacts): readonly string[] {
  const { name, schedule, lastRunAt, lastResult, severity, tookMs = null, nextRunAt } = check;
  const found = severity === undefined || lastRunAt === null ? "-" : (severity ?? "nothing");
  return [
    node,
    name,
    schedule,
    renderTime(lastRunAt),
    tookMs === null ? "-" : renderDuration(tookMs),
    renderTime(nextRunAt ?? null),
    found,
    lastResult ?? "not run yet",
  ];
}
