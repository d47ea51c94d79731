import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";

/**
 * Says that somebody was refused: the same refusal of an address once a minute, and few different ones, so that
 * neither a loop nor somebody who tries names fills the journal.
 */
export type Refusals = {
  record(node: string | null, address: string, reason: string): void;
};

const quietMs = 60_000;
const mostRemembered = 1_000;
const mostPerAddress = 10;

export function createRefusals(events: Events, clock: Clock): Refusals {
  const said = new Map<string, number>();
  const addresses = new Map<string, { readonly since: number; count: number }>();

  const isTooMany = (address: string, now: number): boolean => {
    const known = addresses.get(address);
    const current = known !== undefined && now - known.since < quietMs ? known : null;
    if (current !== null) return (current.count += 1) > mostPerAddress;
    addresses.delete(address);
    if (addresses.size >= mostRemembered) addresses.delete(addresses.keys().next().value ?? "");
    addresses.set(address, { since: now, count: 1 });
    return false;
  };
  return {
    record: (node, address, reason) => {
      const key = `${address} ${reason}`;
      const last = said.get(key);
      const now = clock.elapsedMs();
      if (last !== undefined && now - last < quietMs) return;
      if (said.size >= mostRemembered) said.delete(said.keys().next().value ?? "");
      said.set(key, now);
      if (isTooMany(address, now)) return;
      events.emit("agent:refused", { node }, { address, reason });
    },
  };
}
