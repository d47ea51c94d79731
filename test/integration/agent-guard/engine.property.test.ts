import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rules } from "#agent/decide/rules/table.ts";
import { noMarks, type GuardView } from "#agent/decide/view.ts";
import type { DecisionRing } from "#agent/guard/decision-ring.ts";
import type { GuardExecutors, GuardStepContext } from "#agent/guard/steps/step.ts";
import { RuleClass, type Decision, type GuardMode, type GuardStep } from "#shared/domain/guard.ts";
import { Failure } from "#shared/errors.ts";
import { acts } from "#test/unit/agent/decide/acts/all-acts.ts";
import { openPorts, type PortsHome } from "#test/integration/agent/real-ports.ts";
import {
  peer,
  primary,
  threeNodes,
  view,
  walsender,
} from "#test/unit/agent/decide/view-builder.ts";
import { openEngine, type EngineBed } from "./engine-bed.ts";

/**
 * The whole table and the whole engine, between executors that do nothing (they are fakes, and end when the story says
 * so) and a clock that the story moves.
 */
let home: PortsHome;
beforeAll(async () => {
  home = await openPorts();
});
afterAll(() => home[Symbol.asyncDispose]());

const streaming = { status: "streaming", slot: "slot_srv127", conninfo: "host=192.168.4.129", timeline: 1 }; // prettier-ignore
const position = fc.constantFrom("0/5000000", "0/6000000", null);
const timeline = fc.constantFrom(1, 2);

const anyPeer = (node: string) =>
  fc.option(
    fc
      .record({
        from: fc.constantFrom("coordinator", "own-look"),
        database: fc.constantFrom("primary", "standby", "refused", "silent", "login-failed"),
        timeline,
        position,
        upstream: fc.constantFrom("192.168.4.127", "192.168.4.129", null),
      })
      .map((seen) => peer(node, seen)),
  );
const moment = fc.option(fc.constant({ at: 1, timeline: 1, because: "its WAL went another way" }));

/** Any state that a host and its cluster can be seen in, contradictory ones too. */
const anyView: fc.Arbitrary<GuardView> = fc
  .record({
    database: fc.record({
      status: fc.constantFrom("absent", "stopped", "running", "running", "unreachable"),
      role: fc.constantFrom("primary", "standby", null),
      hasStandbyMarker: fc.boolean(),
      hasIncompleteMarker: fc.constantFrom(false, false, true),
      receiver: fc.constantFrom(streaming, { ...streaming, status: "waiting" }, null),
      timeline,
      position,
      walsenders: fc.subarray(["srv129", "srv159"]),
    }),
    peers: fc.tuple(anyPeer("srv129"), anyPeer("srv159")),
    poolKind: fc.constantFrom("pgpool", "none"),
    hasStalePid: fc.boolean(),
    hasDeadPool: fc.boolean(),
    coordinatorConnected: fc.boolean(),
    trustAnswers: fc.constantFrom(true, false, null),
    hasAddress: fc.boolean(),
    diverged: moment,
    rejoins: fc.boolean(),
    wasPrimary: fc.boolean(),
    restart: fc.constantFrom("never", "standbys", "all"),
    rejoin: fc.constantFrom("never", "standbys", "all"),
  })
  .map(({ database: { walsenders, ...database }, peers, poolKind, ...of }) =>
    view(primary({ ...database, replication: walsenders.map((name) => walsender(name)) }), {
      ...of,
      cluster: threeNodes({ poolKind }),
      peers: peers.filter((seen) => seen !== null),
      rootHelperVerbs: ["vip-status", "vip-add", "vip-drop", "vip-probe", "pool-start"],
      addresses: of.hasAddress ? [{ nic: "eth0", address: "192.168.4.200", prefix: 24, family: "ipv4" }] : [], // prettier-ignore
      isToAct: true,
      marks: {
        ...noMarks,
        diverged: of.diverged,
        rejoiningSince: of.rejoins ? 1 : null,
        wasPrimary: of.wasPrimary ? { at: 1, timeline: 1 } : null,
      },
      policy: { restart: of.restart, rejoin: of.rejoin },
    }),
  );

/** So that each row of the table has its turn, too. */
const anyActing = fc.constantFrom(...Object.values(acts).flatMap((of) => of.map(([, seen]) => ({ ...seen, isToAct: true })))); // prettier-ignore

type Event =
  | { readonly what: "look"; readonly seen: number; readonly times: number }
  | { readonly what: "wait" | "set-clock"; readonly ms: number }
  | { readonly what: "mode"; readonly mode: GuardMode["mode"] }
  | { readonly what: "reserve"; readonly touches: RuleClass }
  | { readonly what: "end"; readonly fails: boolean };

const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant("look"), seen: fc.nat(), times: fc.nat({ max: 6 }) }) }, // prettier-ignore
  { weight: 4, arbitrary: fc.record({ what: fc.constant("end"), fails: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant("wait"), ms: fc.constantFrom(200, 2_000, 6_000, 60_000, 400_000) }) }, // prettier-ignore
  { weight: 1, arbitrary: fc.record({ what: fc.constant("set-clock"), ms: fc.constantFrom(-86_400_000, 0, 86_400_000) }) }, // prettier-ignore
  { weight: 1, arbitrary: fc.record({ what: fc.constant("mode"), mode: fc.constantFrom("enforce", "enforce", "observe", "maintenance") }) }, // prettier-ignore
  { weight: 1, arbitrary: fc.record({ what: fc.constant("reserve"), touches: fc.constantFrom(...RuleClass.options) }) }, // prettier-ignore
);
/** Of a few states, so that they come back. */
type Story = {
  readonly seen: readonly GuardView[];
  readonly events: readonly Event[];
  /** Steps end as they begin; else when the story says so. */
  readonly isQuick: boolean;
};
const anyStory: fc.Arbitrary<Story> = fc.record({
  seen: fc.array(fc.oneof(anyView, anyActing), { minLength: 1, maxLength: 3 }),
  events: fc.array(anyEvent, { maxLength: 40 }),
  isQuick: fc.boolean(),
});

type Called = {
  readonly step: GuardStep;
  readonly seen: GuardView;
  readonly decision: Decision;
};
type Turn = {
  readonly decision: Decision;
  readonly atMs: number;
  readonly mode: GuardMode["mode"];
  readonly reserved: readonly RuleClass[];
};
type Told = {
  readonly called: readonly Called[];
  readonly begun: readonly Turn[];
  readonly ended: readonly Turn[];
  /** What was at work at the same time. */
  readonly together: readonly (readonly Decision[])[];
  readonly decisions: readonly Decision[];
};
type Working = Map<string, { readonly decision: Decision; readonly end: (fails: boolean) => void }>;

async function tell({ seen, events, isQuick }: Story): Promise<Told> {
  const called: Called[] = [];
  const begun: Turn[] = [];
  const ended: Turn[] = [];
  const together: Decision[][] = [];
  const working: Working = new Map();
  const ring = ringInMemory((decision) => {
    const reserved = bed.reservations.current().map((held) => held.class);
    const turn = { decision, atMs: bed.time.elapsedMs, mode: bed.mode.mode, reserved };
    if (decision.outcome === "begun") begun.push(turn);
    if (decision.outcome === "done" || decision.outcome === "failed") ended.push(turn);
  });
  const fake: Fake = (step, { decisionId, view }) => {
    const decision = ring.recent().find(({ id }) => id === decisionId);
    if (decision === undefined) throw new Error("a step without a decision");
    called.push({ step, seen: view, decision });
    if (isQuick) return Promise.resolve("at once");
    return new Promise((resolve, reject) => {
      const end = (fails: boolean): void => {
        working.delete(decisionId);
        if (fails) reject(new Failure("REFUSED", "as the story says"));
        else resolve("as the story says");
      };
      working.set(decisionId, { decision, end });
      together.push([...working.values()].map((one) => one.decision));
    });
  };
  const bed: EngineBed = await openEngine(home, { rules, executors: fakes(fake), ring });
  for (const event of events) {
    await happen(event, seen, bed, working);
    await settle();
  }
  while (working.size > 0) {
    for (const { end } of working.values()) end(false);
    await settle();
  }
  await bed[Symbol.asyncDispose]();
  return { called, begun, ended, together, decisions: ring.recent() };
}

/** What follows from an event without more time has followed. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await setImmediate();
}

async function happen(
  event: Event,
  seen: readonly GuardView[],
  bed: EngineBed,
  working: Working,
): Promise<void> {
  switch (event.what) {
    case "look":
      for (let look = 0; look <= event.times; look += 1) {
        const view = seen[event.seen % seen.length];
        if (view === undefined) throw new RangeError("a story without a view");
        await bed.look({ ...view, elapsedMs: bed.time.elapsedMs });
        await settle();
        bed.time.elapsedMs += 2_000;
      }
      return;
    case "wait":
      bed.time.elapsedMs += event.ms;
      return;
    case "set-clock":
      bed.time.setByMs = event.ms;
      return;
    case "mode":
      bed.mode = { ...bed.mode, mode: event.mode };
      return;
    case "reserve":
      bed.reservations.take("op-story", [event.touches], 15_000);
      return;
    case "end":
      [...working.values()][0]?.end(event.fails);
  }
}

type Fake = (step: GuardStep, context: GuardStepContext) => Promise<string>;

function fakes(fake: Fake): GuardExecutors {
  return {
    "drop-vip": fake,
    "add-vip": fake,
    "stop-database": fake,
    "start-database": fake,
    "write-standby-marker": fake,
    "open-as-primary": fake,
    synchronous: fake,
    "attach-backend": fake,
    "detach-backend": fake,
    repoint: fake,
    rejoin: fake,
    "restart-pool": fake,
    "offer-rebuild": fake,
  };
}

/** Instead of the file: thousands of stories are told. */
function ringInMemory(onAdded: (decision: Decision) => void): DecisionRing {
  const kept = new Map<string, Decision>();
  return {
    add: async (decision) => {
      kept.set(decision.id, decision);
      onAdded(decision);
    },
    recent: () => [...kept.values()],
    waiting: () => [],
    acknowledge: () => undefined,
    taken: async () => undefined,
  };
}

const destructive = new Set<GuardStep["do"]>(["stop-database", "repoint", "rejoin"]);
const laneOf = (touches: RuleClass): string =>
  touches === "role" ? "database" : touches === "pool-row" ? "pool" : touches;

test("however a cluster is seen: nobody who streams is stopped, led elsewhere or rewound, and no only primary", async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, async (story) => {
      for (const { step, seen, decision } of (await tell(story)).called) {
        if (!destructive.has(step.do)) continue;
        const { database } = seen.facts;
        // Cut off right before its end, it is brought to that: the step stops and rewinds nothing that streams.
        if (step.do === "rejoin" && seen.marks.rejoiningSince !== null) continue;
        const isFollowing = database.role === "standby" && database.receiver?.status === "streaming"; // prettier-ignore
        expect([decision.rule, database.status === "running" && isFollowing]).toEqual([decision.rule, false]); // prettier-ignore
        if (database.status !== "running" || database.role !== "primary") continue;
        const others = seen.peers.filter((other) => other.database === "primary");
        expect([decision.rule, others.length > 0]).toEqual([decision.rule, true]);
      }
    }),
  );
}, 120_000);

test("nothing is done but in charge, nothing that is reserved, and of a lane one thing at a time", async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, async (story) => {
      const { begun, together } = await tell(story);
      for (const { mode, reserved, decision } of begun) {
        expect(mode).toBe("enforce");
        expect(reserved).not.toContain(decision.class);
      }
      for (const decisions of together) {
        const lanes = decisions.map((decision) => laneOf(decision.class));
        expect(lanes).toEqual([...new Set(lanes)]);
      }
    }),
  );
}, 120_000);

test("no rule goes back and forth: in its time it acts no more often than its limit, and rests between", async () => {
  const { most, withinMs } = home.ports.settings.guard.actions;
  await fc.assert(
    fc.asyncProperty(anyStory, async (story) => {
      const { begun, ended } = await tell(story);
      for (const { decision, atMs } of begun) {
        const isOwn = (turn: Turn): boolean => turn.decision.rule === decision.rule;
        const within = begun.filter((turn) => isOwn(turn) && turn.atMs >= atMs && turn.atMs < atMs + withinMs); // prettier-ignore
        expect(within.length).toBeLessThanOrEqual(most);
        const before = ended.findLast((turn) => isOwn(turn) && turn.decision.id !== decision.id && turn.atMs <= atMs); // prettier-ignore
        expect(atMs - (before?.atMs ?? 0)).toBeGreaterThanOrEqual(5_000);
      }
    }),
  );
}, 120_000);

test("whatever was begun has one end, and each decision fits the wire", async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, async (story) => {
      const { decisions } = await tell(story);
      expect(decisions.filter(({ outcome }) => outcome === "begun")).toEqual([]);
      for (const { outcome, why } of decisions) {
        expect((why === null) === ["would", "cleared"].includes(outcome)).toBe(true);
      }
    }),
  );
}, 120_000);
