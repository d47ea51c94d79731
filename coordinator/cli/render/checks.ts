import type { CheckResult, Forecast } from "../../operations/plan.ts";
import { renderBytes, renderDuration } from "./units.ts";

/** Failures and warnings with found, wanted and fix; passes as one line each only when `all`. */
export function renderChecks(checks: readonly CheckResult[], all: boolean): readonly string[] {
  const count = (status: CheckResult["status"]) => checks.filter((c) => c.status === status).length;
  const shown = all ? checks : checks.filter((c) => c.status !== "pass");
  return [
    ...shown.flatMap(renderCheck),
    `${checks.length} checks: ${count("pass")} passed, ${count("warn")} warnings, ${count("fail")} failed`,
  ];
}

function renderCheck(check: CheckResult): readonly string[] {
  const where = check.node === null ? "" : ` (${check.node})`;
  const head = `${check.status.padEnd(4)}  ${check.title}${where}`;
  if (check.status === "pass") return [head];
  return [
    `${head}  [${check.id}]`,
    `        found:  ${check.found}`,
    `        wanted: ${check.wanted}`,
    `        fix:    ${check.fix}`,
  ];
}

export function renderForecast(forecast: Forecast): readonly string[] {
  return [
    `copy ${renderBytes(forecast.bytesToCopy)} at ${renderBytes(forecast.bytesPerSecond)}/s: about ${renderDuration(forecast.secondsToCopy * 1000)}`,
    `WAL ${renderBytes(forecast.walBytesPerSecond)}/s: the slot will hold about ${renderBytes(forecast.slotBytes)} of its budget of ${renderBytes(forecast.walBudgetBytes)}`,
    `free on the node ${renderBytes(forecast.targetFreeBytes)}`,
    ...forecast.refusals.map((refusal) => `refused: ${refusal}`),
  ];
}
