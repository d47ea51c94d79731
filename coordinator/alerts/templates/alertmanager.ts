import type { AlertMessage, Rendered } from "../alert-message.ts";

/** Prometheus docs, "Sending alerts": a client tells what stands again and again, usually every 30 s to 3 min. */
export const repeatAlertmanagerMs = 60_000;

/** Alertmanager takes what it does not hear of any more for over: not before a restart of ours is. */
const heldMs = 10 * repeatAlertmanagerMs;

/** The body of POST /api/v2/alerts. Labels identify an alert there, so they are those that stay the same. */
export function renderForAlertmanager(messages: readonly AlertMessage[]): Rendered {
  return { body: JSON.stringify(messages.map(postable)) };
}

function postable({ change, isTest, now }: AlertMessage): object {
  const { alert, changedAt, eventId } = change;
  const endsAt = alert.state === "resolved" ? changedAt : now + (isTest ? repeatAlertmanagerMs : heldMs); // prettier-ignore
  return {
    labels: given({
      alertname: isTest ? "castellan-test" : `castellan-${alert.rule ?? topic(alert)}`,
      service: "castellan",
      cause: alert.cause,
      severity: alert.severity,
      node: alert.node,
    }),
    annotations: given({
      summary: alert.summary,
      description: alert.detail,
      fix: alert.fix,
      who: alert.who,
      file: alert.file,
      line: alert.line === null ? null : String(alert.line),
      state: alert.state,
      acknowledgedBy: alert.acknowledgedBy,
      note: alert.note,
      alert: String(alert.id),
      event: eventId,
    }),
    startsAt: new Date(alert.firstSeenAt).toISOString(),
    // A clock that was set back must not make it end before it began.
    endsAt: new Date(Math.max(endsAt, alert.firstSeenAt)).toISOString(),
  };
}

/** `node:srv127:file:/data/kingbase.conf` → `file`, `coordinator/journal-restored` → `journal-restored` */
function topic({ cause }: AlertMessage["change"]["alert"]): string {
  const [first = "", ...rest] = cause.split(":");
  const word = first === "node" ? (rest[1] ?? "") : first;
  return word.split("/").at(-1) ?? word;
}

function given(values: Readonly<Record<string, string | null>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}
