import type { GuardMode, GuardStep, RuleClass } from "#shared/domain/guard.ts";
import type { Rule } from "./rules/rule.ts";
import type { GuardMemory, GuardView } from "./view.ts";

/** Steps of a rule that were begun: what limits how often they are begun again. Times of the clock that nobody sets. */
export type Act = {
  readonly begunMs: number;
  /** null while it is under way. */
  readonly endedMs: number | null;
  readonly hasFailed: boolean;
};

export type Reservation = {
  readonly class: RuleClass;
  /** An operation, or a command of this agent. */
  readonly by: string;
};

export type GateInput = {
  readonly rule: Pick<Rule, "class" | "witness" | "givesWay" | "isPromised">;
  readonly steps: readonly GuardStep[];
  readonly view: GuardView;
  readonly memory: GuardMemory;
  readonly mode: GuardMode;
  readonly now: number;
  readonly elapsedMs: number;
  /** Since the agent was started. */
  readonly runsForMs: number;
  readonly reservations: readonly Reservation[];
  /** Of this rule, the oldest first. */
  readonly acts: readonly Act[];
  /** Whose steps run in the same lane, or ran there after this look had begun. */
  readonly laneBusyWith: string | null;
};

export type Verdict = { readonly act: true } | ({ readonly act: false } & Refusal);

type Refusal = {
  readonly gate: GateId;
  readonly outcome: "would" | "held";
  readonly why: string;
  /** Over within moments, by itself: no decision worth keeping. */
  readonly isPassing: boolean;
};

type Gate = Pick<Refusal, "outcome" | "isPassing"> & {
  /** A promised row does not wait for it. */
  readonly isPatient?: boolean;
  /** Why nothing may be done now; null where nothing speaks against it. */
  readonly shut: (input: GateInput) => string | null;
};

/** Without a word of a coordinator: until it is seen what the others say, and what this host is at. */
const settleMs = 10_000;
const firstRestMs = 5_000;
const mostRestMs = 300_000;

/** The first that is shut has the word. */
const gates = {
  observe: {
    outcome: "would",
    isPassing: false,
    shut: ({ mode }) => (mode.mode === "observe" ? "the guard only observes here" : null),
  },
  maintenance: {
    outcome: "held",
    isPassing: false,
    shut: ({ mode }) => (mode.mode === "maintenance" ? maintenanceText(mode) : null),
  },
  stopped: {
    outcome: "held",
    isPassing: false,
    shut: ({ view, rule }) =>
      view.marks.stopped === null || rule.class === "vip"
        ? null
        : "this node was stopped on purpose: castellan cluster start",
  },
  settle: {
    outcome: "held",
    isPassing: true,
    isPatient: true,
    shut: ({ runsForMs, view }) =>
      runsForMs >= settleMs || view.coordinatorConnected
        ? null
        : `the agent was started ${seconds(runsForMs)} ago, and has heard of no coordinator`,
  },
  vendor: {
    outcome: "held",
    isPassing: false,
    shut: ({ view }) => view.vendorAtWork,
  },
  reserved: {
    outcome: "held",
    isPassing: false,
    isPatient: true,
    shut: ({ rule, reservations }) => {
      const by = reservations.find((held) => held.class === rule.class)?.by;
      return by === undefined ? null : `${by} works on this node (${rule.class})`;
    },
  },
  witness: {
    outcome: "held",
    isPassing: false,
    shut: ({ rule, view, memory }) =>
      rule.witness === undefined || rule.witness(view, memory) !== null
        ? null
        : "nobody else sees what this rests on",
  },
  limit: {
    outcome: "held",
    isPassing: false,
    isPatient: true,
    shut: ({ rule, acts, elapsedMs, now, view }) => {
      const { withinMs } = view.policy.actions;
      const most = Math.max(1, view.policy.actions.most - (rule.givesWay === true ? 1 : 0));
      const counted = acts.filter(({ begunMs }) => elapsedMs - begunMs < withinMs).slice(-most);
      const [oldest] = counted;
      if (oldest === undefined || counted.length < most) return null;
      return `done ${most} times within ${seconds(withinMs)} (guard.actions); again from ${time(now + oldest.begunMs + withinMs - elapsedMs)}`;
    },
  },
  rest: {
    outcome: "held",
    isPassing: true,
    isPatient: true,
    shut: ({ acts, elapsedMs, now }) => {
      const endedMs = acts.at(-1)?.endedMs ?? null;
      if (endedMs === null) return null;
      const againMs = endedMs + restAfter(acts);
      return elapsedMs >= againMs ? null : `again from ${time(now + againMs - elapsedMs)}`;
    },
  },
  record: {
    outcome: "held",
    isPassing: false,
    shut: ({ steps, view }) =>
      mustBeRecorded(steps, view) && !view.coordinatorConnected
        ? "the coordinator has to record first who may not be promoted, and is away"
        : null,
  },
  lane: {
    outcome: "held",
    isPassing: true,
    shut: ({ laneBusyWith }) => laneBusyWith && `after ${laneBusyWith}`,
  },
} as const satisfies Record<string, Gate>;

type GateId = keyof typeof gates;
const order: readonly [GateId, Gate][] = Object.entries(gates) as [GateId, Gate][]; // its own keys

/** Whether the steps of a finding that stands now may be done now. */
export function judge(input: GateInput): Verdict {
  for (const [gate, { shut, outcome, isPassing, isPatient }] of order) {
    if (isPatient === true && input.rule.isPromised === true) continue;
    const why = shut(input);
    if (why !== null) return { act: false, gate, outcome, isPassing, why: why.slice(0, 1_000) };
  }
  return { act: true };
}

/** What may be done no more once its steps have begun: it is asked again before each of them. */
export function stopsWhile(
  input: Pick<GateInput, "mode" | "rule" | "reservations"> & Pick<GuardView, "vendorAtWork">,
): string | null {
  if (input.mode.mode !== "enforce") return `the guard's mode is ${input.mode.mode} now`;
  if (input.vendorAtWork !== null) return input.vendorAtWork;
  if (input.rule.isPromised === true) return null;
  const by = input.reservations.find((held) => held.class === input.rule.class)?.by;
  return by === undefined ? null : `${by} works on this node (${input.rule.class})`;
}

/**
 * Where no pool keeps a standby that left from being promoted, the coordinator's own record of the decision does: it has
 * to be there before a commit is acknowledged that this standby lacks.
 */
export function mustBeRecorded(steps: readonly GuardStep[], { cluster }: GuardView): boolean {
  return (
    cluster?.poolKind === "none" &&
    steps.some((step) => step.do === "synchronous" && step.notPromotable.length > 0)
  );
}

/** After each end for a while, so that the next look sees what it brought; ever longer after failures in a row. */
function restAfter(acts: readonly Act[]): number {
  const failures = acts.length - 1 - acts.findLastIndex(({ hasFailed }) => !hasFailed);
  return Math.min(mostRestMs, firstRestMs * 2 ** Math.max(0, Math.min(failures, 20) - 1));
}

function maintenanceText({ by, note, until }: GuardMode): string {
  const end = until === null ? "" : ` until ${time(until)}`;
  const why = note === null ? "" : ` (${note})`;
  return `maintenance${end}, by ${by ?? "?"}${why}`;
}

function time(at: number): string {
  return new Date(at).toISOString();
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
