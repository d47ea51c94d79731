import { setTimeout as sleep } from "node:timers/promises";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { describeFault } from "./describe.ts";
import {
  hostOf,
  hostOfProgram,
  touchesClients,
  type HostName,
  type Moment,
  type PlannedFault,
} from "./faults.ts";
import { inject, type Scene } from "./inject.ts";

/** What became of each planned fault. */
export type FaultOutcome = {
  readonly planned: PlannedFault;
  /** null: its moment never came. */
  readonly outcome: string | null;
  readonly mayTouchClients: boolean;
};

export type Saboteur = {
  /** Resolves when nothing is broken that a fault broke (or at once). */
  allHealed(): Promise<void>;
  /** Faults whose moment has not come are called off; those under way are healed. */
  end(): Promise<readonly FaultOutcome[]>;
};

/** Lets every fault happen at its moment and heals it. Faults on one host come one after the other. */
export function unleash(
  scene: Scene,
  faults: readonly PlannedFault[],
  say: (line: string) => void,
): Saboteur {
  const calledOff = new AbortController();
  const underWay = new Set<Promise<void>>();
  const turns = new Map<HostName, Promise<void>>();
  /** Hosts on which a fault is under way. */
  const busy = new Set<HostName>();
  const failures: unknown[] = [];

  /** One after the other on a host. */
  const inTurn = (host: HostName | null, work: () => Promise<void>): Promise<void> => {
    if (host === null) return work();
    const mine = (turns.get(host) ?? Promise.resolve()).then(work);
    turns.set(
      host,
      mine.catch(() => undefined),
    );
    return mine;
  };

  const one = async (planned: PlannedFault): Promise<FaultOutcome> => {
    const { fault, moment } = planned;
    try {
      await momentComes(scene, moment, busy, calledOff.signal);
    } catch {
      return { planned, outcome: null, mayTouchClients: false };
    }
    let outcome = "";
    let isRegistered = false;
    const host = hostOf(fault);
    const work = inTurn(host, async () => {
      if (host !== null) busy.add(host);
      say(`now ${describeFault(planned)}`);
      outcome = await inject(scene, fault).finally(() => host !== null && busy.delete(host));
      isRegistered = hasBegun(scene.progress.operation(), "attach-pool");
      say(`over: ${describeFault(planned)}: ${outcome}`);
    });
    underWay.add(work);
    try {
      await work;
    } catch (error) {
      failures.push(error);
      say(`not done: ${describeFault(planned)}: ${String(error)}`);
      outcome = `could not be done: ${String(error)}`;
    } finally {
      underWay.delete(work);
    }
    const touch = touchesClients(fault);
    return {
      planned,
      outcome,
      mayTouchClients: touch === "always" || (touch === "once-registered" && isRegistered),
    };
  };

  const outcomes = Promise.all(faults.map(one));
  return {
    allHealed: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
    end: async () => {
      calledOff.abort();
      const all = await outcomes;
      if (failures.length > 0) throw new Error(`a fault could not be done or healed: ${failures.join("; ")}`); // prettier-ignore
      return all;
    },
  };
}

async function momentComes(
  { stage: { programs }, progress }: Scene,
  moment: Moment,
  busy: ReadonlySet<HostName>,
  signal: AbortSignal,
): Promise<void> {
  if (moment.on === "point") {
    const { program } = moment;
    // Nobody but the point itself ends or freezes it without bringing it back in the same breath.
    const host = hostOfProgram(program);
    // A program that another fault has ended or frozen for a while has not come to its point.
    while (busy.has(host) || (programs.isRunning(program) && !programs.isFrozen(program))) {
      await sleep(20, undefined, { signal });
    }
    return;
  }
  await progress.until(
    (operation) =>
      moment.on === "step"
        ? (operation.steps[moment.index]?.attempt ?? 0) > 0
        : isTakingBack(operation) && takenBack(operation) >= moment.count,
    signal,
  );
  await sleep(moment.afterMs, undefined, { signal });
}

function isTakingBack({ state }: OperationRecord): boolean {
  return state === "rolling-back";
}

function takenBack({ steps }: OperationRecord): number {
  return steps.filter(({ state }) => state === "undone").length;
}

function hasBegun(operation: OperationRecord | null, kind: string): boolean {
  const index = operation?.plan.steps.findIndex((step) => step.kind === kind) ?? -1;
  return (operation?.steps[index]?.attempt ?? 0) > 0;
}
