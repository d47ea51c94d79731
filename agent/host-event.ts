import type { AgentMessage } from "#shared/protocol/messages.ts";

/**
 * What the watch and the guard report; the session adds the id and sends it until it is acknowledged.
 *
 * Life of a cause: an event of severity `warning` or `critical` opens it (or refreshes it). It ends with
 * `guard-cleared`, or with an event of severity `info`: a finding that is only information opens no alert.
 */
export type HostEvent = Omit<Extract<AgentMessage, { type: "host-event" }>, "type" | "eventId">;
