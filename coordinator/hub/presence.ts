import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";
import { alertCause } from "./host-events.ts";

/** Agents that have joined are expected to be connected; one that stays away becomes an alert. */
export type Presence = Disposable & {
  connected(node: string): void;
  lost(node: string): void;
};

export function createPresence(ports: {
  readonly store: Pick<Store, "agents" | "raiseAlert" | "resolveAlert">;
  readonly events: Events;
  readonly clock: Clock;
  readonly awayAlertMs: number;
}): Presence {
  const { store, events, clock, awayAlertMs } = ports;
  const awaySince = new Map<string, number>();
  const timers = new Map<string, NodeJS.Timeout>();

  const tellAway = (node: string): void => {
    const awayMs = clock.elapsedMs() - (awaySince.get(node) ?? clock.elapsedMs());
    events.emit("agent:away", { node }, { awayMs });
    store.raiseAlert(
      {
        cause: alertCause(node, "agent-away"),
        severity: "warning",
        node,
        summary: `the agent of ${node} is away`,
        detail: `nothing was heard from it for ${Math.round(awayMs / 1000)} s; its database is not affected by that`,
      },
      clock.now(),
    );
  };
  const tellLater = (node: string): void => {
    clearTimeout(timers.get(node));
    const tell = (): void => {
      try {
        tellAway(node);
      } catch {
        // The journal can't be written now (the event before it is in the log): tried again.
        tellLater(node);
      }
    };
    timers.set(node, setTimeout(tell, awayAlertMs));
  };
  const lost = (node: string): void => {
    awaySince.set(node, clock.elapsedMs());
    tellLater(node);
  };
  // After our own start everyone is away until it reconnects.
  for (const { node } of store.agents()) lost(node);

  return {
    lost,
    connected: (node) => {
      clearTimeout(timers.get(node));
      timers.delete(node);
      const since = awaySince.get(node);
      awaySince.delete(node);
      const awayMs = since === undefined ? 0 : clock.elapsedMs() - since;
      // An alert may also be open from before our own restart.
      store.resolveAlert(alertCause(node, "agent-away"), clock.now());
      if (awayMs >= awayAlertMs) events.emit("agent:returned", { node }, { awayMs });
    },
    [Symbol.dispose]: () => {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}
