import { Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";
import type { MuteRecord, Store } from "../store/store.ts";

type MuteInput = {
  /** A pattern of causes, or the number of an alert. */
  readonly what: string;
  readonly forMs: number;
  readonly note: string | null;
  readonly requestedBy: string;
};

export type Mutes = Disposable & {
  /** @throws Failure NOT_FOUND for an alert that there is none of */
  add(input: MuteInput): MuteRecord;
  /** By number or pattern. @throws Failure NOT_FOUND */
  remove(what: string, requestedBy: string): MuteRecord;
};

/** setTimeout takes no more than 24.8 days, and somebody may set the clock. */
const mostWaitMs = 3_600_000;

/** Every mute ends: by a person or by the clock. What it hid is told then. */
export function createMutes(ports: {
  readonly store: Pick<Store, "mutes" | "addMute" | "removeMute" | "alert">;
  readonly clock: Clock;
  readonly events: Events;
}): Mutes {
  const { store, clock, events } = ports;
  let timer: NodeJS.Timeout | undefined;
  const end = (mute: MuteRecord, by: string): void => {
    store.removeMute(mute, clock.now());
    events.emit("mute:ended", {}, { pattern: mute.pattern, by });
  };
  const look = (): void => {
    clearTimeout(timer);
    for (const mute of store.mutes()) if (mute.until <= clock.now()) end(mute, "the clock");
    const first = Math.min(...store.mutes().map(({ until }) => until));
    if (Number.isFinite(first)) wait(Math.min(Math.max(0, first - clock.now()), mostWaitMs));
  };
  const wait = (ms: number): void => {
    timer = setTimeout(() => {
      try {
        look();
      } catch {
        // The journal can't be written now: a mute that is too long is seen in its list.
        wait(retryMs);
      }
    }, ms);
    timer.unref();
  };
  look();
  return {
    add: ({ what, forMs, note, requestedBy }) => {
      const now = clock.now();
      const mute = store.addMute({
        pattern: patternOf(store, what),
        until: now + forMs,
        mutedAt: now,
        mutedBy: requestedBy,
        note,
      });
      events.emit("mute:begun", {}, { pattern: mute.pattern, until: mute.until, by: requestedBy, note }); // prettier-ignore
      look();
      return mute;
    },
    remove: (what, requestedBy) => {
      const found = store.mutes().find(({ id, pattern }) => String(id) === what || pattern === what); // prettier-ignore
      if (found === undefined) {
        throw new Failure("NOT_FOUND", `There is no mute ${what}.`, { hint: "castellan alert mutes" }); // prettier-ignore
      }
      end(found, requestedBy);
      look();
      return found;
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

const retryMs = 10_000;

function patternOf(store: Pick<Store, "alert">, what: string): string {
  if (!/^\d+$/.test(what)) return what;
  const alert = store.alert(Number(what));
  if (alert !== null) return alert.cause;
  throw new Failure("NOT_FOUND", `There is no alert ${what}.`, { hint: "castellan alert list" });
}
