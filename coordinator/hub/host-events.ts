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
  const { kind, severity, summary, detail } = event;
  events.emit("host:reported", { node }, { kind, cause: event.cause, severity, summary, detail });
  if (kind === "guard-cleared" || severity === "info") store.resolveAlert(cause, now);
  else if (kind === "file-changed" && isBeingAdded(node)) return;
  else store.raiseAlert({ cause, severity, node, summary, detail }, now);
}

export function alertCause(node: string, cause: string): string {
  return `node:${node}:${cause}`;
}
