import type { GuardFacts, NodeFacts } from "#shared/domain/facts.ts";
import { randomUUID } from "node:crypto";
import type { ClusterView, PeerSight } from "#shared/domain/cluster-view.ts";
import type { RuleClass } from "#shared/domain/guard.ts";
import { Failure } from "#shared/errors.ts";
import type { Baseline } from "#shared/protocol/messages.ts";
import { createEngine } from "./guard/engine.ts";
import { createGuard, type SelfFencePorts } from "./guard/guard.ts";
import { guardExecutors } from "./guard/steps/executors.ts";
import { createSights } from "./guard/sights.ts";
import { fine } from "./checks/check.ts";
import { createChecks } from "./checks/checks.ts";
import type { GuardView } from "./decide/view.ts";
import type { HostEvent } from "./host-event.ts";
import type { Ports } from "./ports.ts";
import { createObserver, unchanged } from "./observe/observer.ts";
import { pulse } from "./pulse.ts";
import { createSchedule } from "./schedule.ts";
import type { ExpectedChanges } from "./watch/expected-changes.ts";
import { createFileWatch } from "./watch/file-watch.ts";
import { createProcessWatch } from "./watch/process-watch.ts";

/**
 * Observe, decide, report. Edges (a closed connection, a file event, an ended command, a schedule) only wake the
 * loop; every decision looks at the whole state. One cycle at a time; wakes during a cycle make one more.
 *
 * Wiring in main.ts:
 *   const expected = createExpectedChanges();          // files.replace/remove call expected.expect(path, hash) first
 *   await using loop = createLoop({ ports, expected, startedAt, onFacts, onHostEvent, selfFence });
 *   ports.observe = () => loop.observeNow();           // late-bound: the loop itself doesn't use ports.observe
 *   own database connection closed  → loop.wake("database-closed"); opened → loop.wake("database-opened")
 *   command ended                   → loop.wake("command-ended")
 *   message `baselines`             → loop.setBaselines(message.files)
 *   message `observe-now`           → await loop.observeNow()
 *   message `cluster-view`          → await loop.setCluster(cluster, view)
 *   message `sights`                → loop.setSights(peers)
 */
export type Loop = AsyncDisposable & {
  /** Look again soon; many wakes are one look. */
  wake(reason: WakeReason): void;
  /** Everything is looked at anew by a cycle that begins after this call; it is reported too. */
  observeNow(): Promise<NodeFacts>;
  /** Resolves when the guard is at nothing that touches these. */
  guardAtRest(classes: readonly RuleClass[]): Promise<void>;
  /** Accepted contents of watched files; replaces all that were known. */
  setBaselines(files: readonly Baseline[]): void;
  /** How a cluster is declared; null where it does not declare this node. */
  setCluster(cluster: string, view: ClusterView | null): Promise<void>;
  /** What the other nodes' agents say of themselves now. */
  setSights(peers: readonly PeerSight[]): void;
  /** The latest facts; null before the first cycle has ended. */
  facts(): NodeFacts | null;
  /** What the guard's latest look saw; null before the first. */
  guardView(): GuardView | null;
};

type WakeReason =
  | "start"
  | "timer"
  | "database-closed"
  | "database-opened"
  | "command-ended"
  | "guard-acted"
  | "file"
  | "schedule"
  | "host"
  | "peer"
  | "pool"
  | "asked";

export type LoopOptions = {
  readonly ports: Omit<Ports, "observe" | "guardView">;
  readonly expected: ExpectedChanges;
  /** When the agent was started, ms since the epoch. */
  readonly startedAt: number;
  /** After every cycle. A section that is as before is the SAME object: compare by reference. */
  readonly onFacts: (facts: NodeFacts) => void;
  readonly onHostEvent: (event: HostEvent) => void;
  readonly selfFence: SelfFencePorts;
  /** The coordinator's clock, from this host's; null, or left out, where nobody knows. */
  readonly coordinatorAheadMs?: () => number | null;
};

/** Wakes within this time of one another are one look: a burst of edges can't keep the database busy. */
const gatherMs = 20;
/** Ends of looks at least this far apart, except when someone waits for one. */
const restMs = 200;
/** Times of the periodic checks are for people: not every look is worth a message. */
const checksEveryMs = 10_000;
const stopWithinMs = 2_000;
/** Every how many polls the files' contents are read again though their status did not move. */
const fullRehashEvery = 20;

export function createLoop(options: LoopOptions): Loop {
  const { ports, expected, startedAt, onFacts } = options;
  const { clock, log, settings } = ports;
  const { observeEveryMs } = settings.limits;
  const observer = createObserver(ports, startedAt);
  const stopping = new AbortController();
  const sights = createSights(ports, () => wake("peer"));
  const pool = createProcessWatch(() => wake("pool"));
  const isCoordinatorConnected = (): boolean => (options.coordinatorAheadMs?.() ?? null) !== null;
  const engine = createEngine({
    ports: { ...ports, observe: observeNow, guardView: () => guard.view() },
    executors: guardExecutors,
    newId: randomUUID,
    onEnded: () => wake("guard-acted"),
  });
  const guard = createGuard(
    ports,
    options.selfFence,
    sights,
    () => schedule.checks(),
    isCoordinatorConnected,
    engine,
    emit,
  );
  let checksShownAt = Number.NEGATIVE_INFINITY;
  let latest: NodeFacts | null = null;
  let want: { readonly reasons: Set<WakeReason>; readonly waiting: Waiting[] } = nothingWanted();
  let polls = 0;
  let observedAt = Number.NEGATIVE_INFINITY;
  let wholeAt = Number.NEGATIVE_INFINITY;
  let timedAt = clock.elapsedMs();
  let rouse: () => void = () => undefined;

  function emit(event: HostEvent): void {
    try {
      options.onHostEvent(event);
    } catch (error) {
      log.error({ error, cause: event.cause }, "A host event could not be handed on.");
    }
  }

  function wake(reason: WakeReason): void {
    want.reasons.add(reason);
    rouse();
  }

  function observeNow(): Promise<NodeFacts> {
    return new Promise((resolve, reject) => {
      want.waiting.push({ resolve, reject });
      rouse();
    });
  }

  /** Between two looks at the whole while all is well: that alone of which no edge tells, and which can't wait. */
  async function isAsBefore(reasons: ReadonlySet<WakeReason>): Promise<boolean> {
    const isTimed = reasons.size === 1 && reasons.has("timer");
    if (!isTimed || !guard.isCalm() || clock.elapsedMs() - wholeAt > observeEveryMs + restMs) {
      return false;
    }
    const isSame = await observer.isAsBefore();
    if (isSame) observedAt = clock.elapsedMs();
    return isSame;
  }

  async function cycle(reasons: ReadonlySet<WakeReason>, hasWaiting: boolean): Promise<NodeFacts> {
    if (latest !== null && !hasWaiting && (await isAsBefore(reasons))) return latest;
    const isFresh =
      hasWaiting ||
      reasons.has("command-ended") ||
      reasons.has("guard-acted") ||
      reasons.has("start");
    const beganMs = clock.elapsedMs();
    const seen = await observer.observe({
      fresh: isFresh,
      settings: reasons.has("file"),
      host: reasons.has("host"),
    });
    observedAt = clock.elapsedMs();
    wholeAt = beganMs;
    const guarded = await guard.look(seen, observer, beganMs);
    const facts: NodeFacts = { ...seen, guard: guardFacts(guarded) };
    latest = facts;
    pool.follow(facts.pool?.pid ?? null);
    return facts;
  }

  function guardFacts(guarded: Omit<GuardFacts, "checks">): GuardFacts {
    const before = latest?.guard;
    const isOld = clock.elapsedMs() - checksShownAt >= checksEveryMs;
    if (before !== undefined && !isOld) {
      return unchanged(before, { ...guarded, checks: before.checks });
    }
    checksShownAt = clock.elapsedMs();
    return { ...guarded, checks: schedule.checks() };
  }

  async function run(): Promise<void> {
    let told: NodeFacts | null = null;
    while (!stopping.signal.aborted) {
      if (want.reasons.size === 0 && want.waiting.length === 0) {
        await new Promise<void>((resolve) => {
          rouse = resolve;
        });
      }
      const isAwaited = want.waiting.length > 0;
      const gather = want.reasons.has("timer") ? 0 : gatherMs;
      const rest = isAwaited ? 0 : Math.max(gather, observedAt + restMs - clock.elapsedMs());
      if (rest > 0) await clock.sleep(rest, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) break;
      const { reasons, waiting } = want;
      want = nothingWanted();
      try {
        const facts = await cycle(reasons, waiting.length > 0);
        if (facts !== told) onFacts(facts);
        told = facts;
        for (const { resolve } of waiting) resolve(facts);
      } catch (error) {
        log.error({ error }, "A look at this node failed; the next one tries again.");
        for (const { reject } of waiting) reject(error);
      }
    }
    const ended = new Failure("INTERRUPTED", "the agent is stopping", { retryable: true });
    for (const { reject } of want.waiting) reject(ended);
  }

  const watching = createFileWatch({
    ports,
    files: observer.files,
    expected,
    onHostEvent: emit,
    onChange: () => wake("file"),
  });
  const schedule = createSchedule([
    {
      name: "rehash",
      schedule: settings.guard.schedules.rehash,
      run: async () => {
        polls += 1;
        const again = polls % fullRehashEvery === 0;
        await (await watching).poll({ again });
        return fine(again ? "contents read again" : "status looked at");
      },
    },
    {
      name: "host",
      schedule: settings.guard.schedules.host,
      run: async () => {
        wake("host");
        return fine("looked at");
      },
    },
    {
      name: "guard",
      schedule: settings.guard.schedules.guard,
      run: async () => {
        // The timer has just looked: a second look would only double the cost of idling.
        if (clock.elapsedMs() - observedAt > settings.limits.observeEveryMs) wake("schedule");
        const open = latest?.guard.findings.length ?? 0;
        return fine(open === 0 ? "nothing found" : `${open} findings open`);
      },
    },
    ...createChecks({
      ports,
      facts: () => latest,
      coordinatorAheadMs: options.coordinatorAheadMs ?? (() => null),
      onHostEvent: emit,
    }),
  ]);
  const timer = pulse(observeEveryMs / 2, () => {
    // Twice as often while something is off, here or at the others.
    const everyMs = sights.isClose() ? observeEveryMs / 2 : observeEveryMs;
    if (clock.elapsedMs() - timedAt < everyMs - gatherMs) return;
    timedAt = clock.elapsedMs();
    wake("timer");
  });
  wake("start");
  const running = run();

  return {
    wake,
    observeNow,
    guardView: () => guard.view(),
    guardAtRest: (classes) => engine.atRest(classes),
    setBaselines: (files) => {
      void watching.then((watch) => watch.setBaselines(files));
    },
    setCluster: async (cluster, view) => {
      await ports.clusterView.take(cluster, view);
      wake("peer");
    },
    setSights: (peers) => sights.told(peers),
    facts: () => latest,
    [Symbol.asyncDispose]: async () => {
      timer[Symbol.dispose]();
      sights[Symbol.dispose]();
      pool[Symbol.dispose]();
      await schedule[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      stopping.abort();
      rouse();
      // A server that doesn't answer must not hold back the agent's end: the connection is closed after us.
      await Promise.race([running, clock.sleep(stopWithinMs)]);
      await (await watching)[Symbol.asyncDispose]();
    },
  };
}

type Waiting = {
  readonly resolve: (facts: NodeFacts) => void;
  readonly reject: (error: unknown) => void;
};

function nothingWanted(): { readonly reasons: Set<WakeReason>; readonly waiting: Waiting[] } {
  return { reasons: new Set(), waiting: [] };
}
