import { decide, guardStateWith } from "#agent/decide/decide.ts";
import type { Rule } from "#agent/decide/rules/rule.ts";
import type { GuardView } from "#agent/decide/view.ts";
import { openDecisionRing, type DecisionRing } from "#agent/guard/decision-ring.ts";
import { createEngine, type Engine } from "#agent/guard/engine.ts";
import { createReservations, type Reservations } from "#agent/guard/reservations.ts";
import type { GuardExecutors } from "#agent/guard/steps/step.ts";
import type { GuardFinding } from "#shared/domain/facts.ts";
import type { Decision, GuardMode } from "#shared/domain/guard.ts";
import type { PortsHome } from "#test/integration/agent/real-ports.ts";

const enforce: GuardMode = { mode: "enforce", until: null, by: "dba", note: null };

export type EngineBed = AsyncDisposable & {
  readonly engine: Engine;
  readonly ring: DecisionRing;
  readonly reservations: Reservations;
  /** By the clock that nobody sets, and by how much the time of day is set off from it. */
  readonly time: { elapsedMs: number; setByMs: number };
  mode: GuardMode;
  /** How often steps have ended. */
  readonly ends: () => number;
  look(view: GuardView, began?: { readonly beganMs: number }): Promise<void>;
  /** Of each decision: `rule outcome`. */
  said(): readonly string[];
};

type EngineBedOptions = {
  readonly rules: readonly Rule[];
  readonly executors: Partial<GuardExecutors>;
  /** As found on disk. */
  readonly findings?: readonly GuardFinding[];
  readonly ring?: DecisionRing;
  readonly startsAt?: number;
  readonly takenWithinMs?: number;
};

/** The engine of an agent that was started long ago, between a clock and executors that the test moves. */
export async function openEngine(home: PortsHome, options: EngineBedOptions): Promise<EngineBed> {
  const { rules, executors, findings = [], startsAt = 1_000_000 } = options;
  const time = { elapsedMs: startsAt, setByMs: 0 };
  const now = (): number => time.elapsedMs + time.setByMs;
  const { clock: real } = home.ports;
  const clock = { ...real, now, elapsedMs: () => time.elapsedMs };
  const ring = options.ring ?? (await openDecisionRing(home.ports.settings.stateDirectory));
  const reservations = createReservations(clock);
  let mode = enforce;
  let ends = 0;
  let ids = 0;
  let state = guardStateWith(findings);
  const engine = createEngine({
    ports: {
      ...home.ports,
      clock,
      decisions: ring,
      reservations,
      guardModes: { ...home.ports.guardModes, current: () => mode },
    },
    executors,
    newId: () => `${startsAt}-${(ids += 1)}`,
    onEnded: () => (ends += 1),
    rules,
    ...(options.takenWithinMs === undefined ? {} : { takenWithinMs: options.takenWithinMs }),
  });
  time.elapsedMs += 60_000;
  return {
    engine,
    ring,
    reservations,
    time,
    get mode() {
      return mode;
    },
    set mode(next) {
      mode = next;
    },
    ends: () => ends,
    look: async (seen, { beganMs } = { beganMs: time.elapsedMs }) => {
      time.elapsedMs += 1;
      const view = { ...seen, elapsedMs: time.elapsedMs };
      const decided = decide(state, view, now(), rules);
      ({ state } = decided);
      await engine.act(decided, view, { now: now(), beganMs });
    },
    said: () => ring.recent().map(({ rule, outcome }: Decision) => `${rule} ${outcome}`),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}
