import { closingHint } from "../../fleet/closable-alerts.ts";
import type { AlertRecord } from "../../store/store.ts";
import { indent } from "./table.ts";
import { renderTime } from "./units.ts";

export function renderAlerts(alerts: readonly AlertRecord[]): readonly string[] {
  if (alerts.length === 0) return ["No alerts."];
  return alerts.flatMap((alert) => [
    `${alert.severity.padEnd(8)}  ${alert.state.padEnd(8)}  ${alert.node ?? "-"}  ${alert.summary}  [${alert.id}]`,
    `          since ${renderTime(alert.firstSeenAt)}, last seen ${renderTime(alert.lastSeenAt)}, cause ${alert.cause}`,
    ...indent(alert.detail === "" ? [] : alert.detail.trimEnd().split("\n"), "          "),
    ...closing(alert),
  ]);
}

function closing(alert: AlertRecord): readonly string[] {
  const hint = alert.state !== "resolved" ? closingHint(alert) : null;
  return hint === null ? [] : [`          ${hint}`];
}
