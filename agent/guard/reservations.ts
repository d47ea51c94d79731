import type { RuleClass } from "#shared/domain/guard.ts";
import type { Clock } from "#shared/time.ts";
import type { Reservation } from "../decide/gate.ts";

/** What of this node the guard leaves to others for now. */
export type Reservations = {
  /** An operation's, told by the coordinator: it ends after this time unless it is told again; 0 ends it. */
  take(operationId: string, classes: readonly RuleClass[], forMs: number): void;
  /** A command's that this agent itself is at, until it is disposed. */
  hold(by: string, classes: readonly RuleClass[]): Disposable;
  current(): readonly Reservation[];
};

export function createReservations(clock: Pick<Clock, "elapsedMs">): Reservations {
  const held = new Set<Reservation & { readonly untilMs: number }>();
  return {
    take: (by, classes, forMs) => {
      for (const known of held) {
        if (known.by === by && classes.includes(known.class)) held.delete(known);
      }
      const untilMs = clock.elapsedMs() + forMs;
      if (forMs > 0) for (const each of classes) held.add({ class: each, by, untilMs });
    },
    hold: (by, classes) => {
      const own = classes.map((each) => ({ class: each, by, untilMs: Number.POSITIVE_INFINITY }));
      for (const each of own) held.add(each);
      return {
        [Symbol.dispose]: () => {
          for (const each of own) held.delete(each);
        },
      };
    },
    current: () => {
      const now = clock.elapsedMs();
      for (const each of held) if (each.untilMs <= now) held.delete(each);
      return [...held];
    },
  };
}
