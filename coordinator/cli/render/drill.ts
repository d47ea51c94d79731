import type { DrillReport } from "../../operations/drill/report.ts";
import { renderDuration, renderTime } from "./units.ts";

/** Markdown, to be kept or sent. */
export function renderDrill(report: DrillReport): readonly string[] {
  const { primary, blackoutMs, writes, reads, redundancyMs, layoutMs, stoppedBefore } = report;
  const head = [
    `# Drill of ${report.node}, ${report.cluster}`,
    "",
    `${report.operation}, asked by ${report.requestedBy}: ${report.state}`,
  ];
  if (report.struckAt === null || blackoutMs === null || writes === null || reads === null) {
    return [...head, "", `Nothing was measured: castellan operation show ${report.operation}`];
  }
  return [
    ...head,
    "",
    "| | |",
    "| --- | --- |",
    ...(stoppedBefore.length === 0 ? [] : [`| stopped before | ${stoppedBefore.join(", ")} |`]),
    `| fault | ${report.kind} of ${report.node}'s database at ${renderTime(report.struckAt)} |`,
    `| primary before | ${primary.before} |`,
    `| primary after | ${primary.after ?? "?"}: ${primary.why ?? "?"} |`,
    `| longest time without a write | ${blackoutMs.writes} ms (${writes.answered} acknowledged, ${writes.failed} failed) |`,
    `| longest time without a read | ${blackoutMs.reads} ms (${reads.answered} answered, ${reads.failed} failed) |`,
    `| acknowledged rows lost | ${report.lostAcknowledged ?? "?"} |`,
    `| redundancy back after | ${redundancyMs === null ? "not restored by the drill" : renderDuration(redundancyMs)} |`,
    ...(layoutMs === null ? [] : [`| ${primary.before} leads again after | ${renderDuration(layoutMs)} |`]), // prettier-ignore
  ];
}
