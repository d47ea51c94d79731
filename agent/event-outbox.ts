import type { AgentMessage } from "#shared/protocol/messages.ts";
import type { HostEvent } from "./host-event.ts";

type HostEventMessage = Extract<AgentMessage, { type: "host-event" }>;

export type EventOutbox = {
  /** Keeps it until it is acknowledged; answers the message to send. */
  add(event: HostEvent): HostEventMessage;
  acknowledge(eventId: string): void;
  waiting(): readonly HostEventMessage[];
};

const mostDetail = 256 * 1024;

/** Host events nobody has acknowledged: the newest of each cause, at most `most` (then the oldest go). */
export function createEventOutbox(makeId: () => string, most = 500): EventOutbox {
  const byCause = new Map<string, HostEventMessage>();
  return {
    add: (event) => {
      const detail = event.detail.slice(0, mostDetail);
      const message = { type: "host-event" as const, eventId: makeId(), ...event, detail };
      // Deleted first, so that the order of the map is the order of the news.
      byCause.delete(event.cause);
      byCause.set(event.cause, message);
      const oldest = byCause.keys().next().value;
      if (byCause.size > most && oldest !== undefined) byCause.delete(oldest);
      return message;
    },
    acknowledge: (eventId) => {
      for (const [cause, message] of byCause) {
        if (message.eventId === eventId) byCause.delete(cause);
      }
    },
    waiting: () => [...byCause.values()],
  };
}
