import type { EventRecord } from "../../store/store.ts";
import { eventSentence } from "../../events.ts";
import { renderTime } from "./units.ts";

/** `1234  2026-11-22 07:11:29Z  step:done  srv159  create-slot: apply is done` */
export function renderEvent(event: EventRecord): string {
  const about = event.operationId ?? event.node ?? "-";
  return `${String(event.sequence).padStart(6)}  ${renderTime(event.at)}  ${event.kind.padEnd(18)}  ${about}  ${eventSentence(event)}`;
}
