import type { AgentMessage } from "#shared/protocol/messages.ts";
import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";

export type HostEvent = Extract<AgentMessage, { type: "host-event" }>;

export type HostEventPorts = {
  readonly store: Pick<Store, "raiseAlert" | "resolveAlert" | "alerts">;
  readonly events: Events;
  /** An operation is building this node up: its files appear because of it. */
  readonly isBeingAdded: (node: string) => boolean;
};

/**
 * An agent's report becomes an event, and an alert per cause: a warning or worse opens it (again: counts),
 * `guard-cleared` or an info of the same cause ends it.
 */
export function recordHostEvent(
  { store, events, isBeingAdded }: HostEventPorts,
  node: string,
  event: HostEvent,
  now: number,
): void {
  const cause = alertCause(node, event.cause);
  const { kind, severity } = event;
  const summary = cut(event.summary, mostSummary);
  const detail = cut(event.detail, mostDetail);
  events.emit(
    "host:reported",
    { node },
    { kind, cause: cut(event.cause, mostSummary), severity, summary, detail },
  );
  if (kind === "guard-cleared" || severity === "info") store.resolveAlert(cause, now);
  else if (kind === "file-changed" && isBeingAdded(node)) return;
  else {
    const { file = null, line = null, who = null } = event;
    const fix = kind === "file-changed" && file !== null ? `castellan drift show ${node} ${file}` : null; // prettier-ignore
    raiseBounded(store, { cause, severity, node, summary, detail, file, line, who, fix }, now);
  }
}

/** An agent gone wrong (or a stolen one) must not fill the journal: its alerts beyond the limit are one alert. */
function raiseBounded(
  store: HostEventPorts["store"],
  alert: Parameters<HostEventPorts["store"]["raiseAlert"]>[0] & { readonly node: string },
  now: number,
): void {
  const open = store.alerts({ open: true }).filter(({ node }) => node === alert.node);
  if (open.length < mostOpenAlerts || open.some(({ cause }) => cause === alert.cause)) {
    store.raiseAlert(alert, now);
    return;
  }
  store.raiseAlert(
    {
      cause: alertCause(alert.node, "too-many-alerts"),
      severity: "critical",
      node: alert.node,
      summary: `${alert.node} reports more than ${mostOpenAlerts} causes of alert; further ones are only events`,
      detail: `the latest: ${alert.summary}`,
    },
    now,
  );
}

const mostOpenAlerts = 200;
/** Characters: a masked diff of a large file is cut, the file itself is on the host. */
const mostDetail = 65_536;
const mostSummary = 500;

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)} … (${text.length - most} more)`;
}

export function alertCause(node: string, cause: string): string {
  return cut(`node:${node}:${cause}`, mostSummary);
}
