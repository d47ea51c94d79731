import type { SinkTest } from "../../alerts/alerting.ts";
import { closingHint } from "../../fleet/closable-alerts.ts";
import { countAlerts, severities, type AlertCounts } from "../../fleet/severity.ts";
import type { AlertRecord, MuteRecord } from "../../store/store.ts";
import { bySeverity } from "./severity.ts";
import { renderTable } from "./table.ts";
import { renderTime } from "./units.ts";

/** A line each, the worst first, what is over last. */
export function renderAlertList(alerts: readonly AlertRecord[]): readonly string[] {
  const standing = alerts.filter(({ state }) => state !== "resolved");
  const over = alerts.filter(({ state }) => state === "resolved");
  const sum = renderCounts(countAlerts(standing)) ?? "Nothing stands.";
  if (alerts.length === 0) return [sum];
  const rows = [...bySeverity(standing), ...over].map((alert) => [
    String(alert.id),
    alert.severity,
    stateOf(alert),
    renderTime(alert.firstSeenAt),
    alert.node ?? "-",
    about(alert).replace(`${alert.node}: `, ""),
  ]);
  return [
    sum,
    ...renderTable(["ALERT", "SEVERITY", "STATE", "SINCE", "NODE", "WHAT"], rows),
    "What it rests on, and what to do: castellan alert show ALERT",
  ];
}

/** `3 alerts: 1 critical, 2 info`; null for none. */
export function renderCounts(counts: AlertCounts): string | null {
  const found = severities.toReversed().filter((severity) => counts[severity] > 0);
  const all = found.reduce((sum, severity) => sum + counts[severity], 0);
  if (all === 0) return null;
  const parts = found.map((severity) => `${counts[severity]} ${severity}`).join(", ");
  return `${all} alert${all === 1 ? "" : "s"}: ${parts}`;
}

/** After `alert ack` and `alert close`. */
export function renderAlertState(alert: AlertRecord): readonly string[] {
  const note = alert.note === null ? "" : ` (note: ${alert.note})`;
  return [`Alert ${alert.id} is ${stateOf(alert)}${note}: ${about(alert)}`];
}

function stateOf({ state, isMuted }: AlertRecord): string {
  return isMuted ? `${state}, muted` : state;
}

/** What a breach says is short: its rule says what it is about. */
function about({ rule, summary }: AlertRecord): string {
  return rule === null ? summary : `${rule}: ${summary}`;
}

export function renderAlert(alert: AlertRecord): readonly string[] {
  const rows = [
    ["alert", `${alert.id}, ${alert.severity}, ${stateOf(alert)}`],
    ["node", alert.node ?? "-"],
    ["cause", alert.cause],
    ["first seen", renderTime(alert.firstSeenAt)],
    [
      "last seen",
      `${renderTime(alert.lastSeenAt)}, ${alert.count === 1 ? "once" : `${alert.count} times`}`,
    ],
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
