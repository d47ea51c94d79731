import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";

/** Says that somebody was refused: the same refusal of an address once a minute, so that a loop fills no journal. */
export type Refusals = {
  record(node: string | null, address: string, reason: string): void;
};

const quietMs = 60_000;
const mostRemembered = 1_000;

export function createRefusals(events: Events, clock: Clock): Refusals {
  const said = new Map<string, number>();
  return {
    record: (node, address, reason) => {
      const key = `${address} ${reason}`;
      const last = said.get(key);
      const now = clock.now();
      if (last !== undefined && now - last < quietMs) return;
      if (said.size >= mostRemembered) said.delete(said.keys().next().value ?? "");
      said.set(key, now);
      events.emit("agent:refused", { node }, { address, reason });
    },
  };
}
