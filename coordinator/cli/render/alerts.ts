import type { SinkTest } from "../../alerts/alerting.ts";
import { closingHint } from "../../fleet/closable-alerts.ts";
import type { AlertRecord, MuteRecord } from "../../store/store.ts";
import { indent, renderTable } from "./table.ts";
import { renderTime } from "./units.ts";

export function renderAlerts(alerts: readonly AlertRecord[]): readonly string[] {
  if (alerts.length === 0) return ["No alerts."];
  return alerts.flatMap((alert) => [
    `${alert.severity.padEnd(8)}  ${alert.state.padEnd(12)}  ${alert.node ?? "-"}  ${alert.summary}  [${alert.id}]${alert.isMuted ? "  (muted)" : ""}`,
    `          since ${renderTime(alert.firstSeenAt)}, last seen ${renderTime(alert.lastSeenAt)}, cause ${alert.cause}`,
    ...indent(
      [...facts(alert).map(([label, text]) => `${label}: ${text}`), ...detail(alert)],
      "          ",
    ),
    ...closing(alert).map((line) => `          ${line}`),
  ]);
}

export function renderAlert(alert: AlertRecord): readonly string[] {
  const rows = [
    ["alert", `${alert.id}, ${alert.severity}, ${alert.state}${alert.isMuted ? ", muted" : ""}`],
    ["node", alert.node ?? "-"],
    ["cause", alert.cause],
    ["first seen", renderTime(alert.firstSeenAt)],
    ["last seen", `${renderTime(alert.lastSeenAt)}, ${alert.count} times`],
    ...facts(alert),
  ];
  return [
    alert.summary,
    "",
    ...rows.map(([label = "", text = ""]) => `${label.padEnd(12)}  ${text}`),
    "",
    ...detail(alert),
    ...closing(alert),
  ];
}

export function renderMutes(mutes: readonly MuteRecord[]): readonly string[] {
  if (mutes.length === 0) return ["Nothing is muted."];
  return renderTable(
    ["MUTE", "CAUSES", "UNTIL", "SINCE", "BY", "NOTE"],
    mutes.map((mute) => [
      String(mute.id),
      mute.pattern,
      renderTime(mute.until),
      renderTime(mute.mutedAt),
      mute.mutedBy,
      mute.note ?? "",
    ]),
  );
}

export function renderSinkTest({ sink, status, answer, tookMs }: SinkTest): readonly string[] {
  return [`${sink} took the test alert: ${status} in ${tookMs} ms`, ...answerLines(answer)];
}

function answerLines(answer: string): readonly string[] {
  return answer === "" ? [] : answer.split("\n").map((line) => `  | ${line}`);
}

function facts(alert: AlertRecord): readonly (readonly [label: string, text: string])[] {
  const { file, line, rule, who, fix, note, acknowledgedAt, acknowledgedBy } = alert;
  const place = file === null ? null : `${file}${line === null ? "" : `:${line}`}`;
  const by = acknowledgedBy === null ? null : `${acknowledgedBy} at ${renderTime(acknowledgedAt)}`;
  const said: readonly (readonly [string, string | null])[] = [
    ["file", place],
    ["rule", rule],
    ["who", who],
    ["acknowledged", by],
    ["note", note],
    ["fix", alert.state === "resolved" ? null : fix],
  ];
  return said.flatMap(([label, text]) => (text === null ? [] : [[label, text] as const]));
}

function detail({ detail: text }: AlertRecord): readonly string[] {
  return text === "" ? [] : text.trimEnd().split("\n");
}

function closing(alert: AlertRecord): readonly string[] {
  const hint = alert.state === "resolved" ? null : closingHint(alert);
  return hint === null ? [] : [hint];
}
