import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import type { AgentView } from "../ports.ts";
import type { AgentLink } from "./agent-link.ts";
import type { HeldFacts } from "./facts-board.ts";

/** What the hub remembers of one agent, connected or not. */
export type AgentState = {
  readonly node: string;
  link: AgentLink | null;
  agentVersion: string | null;
  /** Its time of day at a moment of our clock that nobody sets: so ours may be set without a word to anybody. */
  clock: { readonly atMs: number; readonly elapsedMs: number } | null;
  lastSeenAt: number | null;
  /** The link ended, by a clock that nobody sets, and by nothing but silence. */
  silentSinceMs: number | null;
  held: HeldFacts | null;
  /** When it told something of `held` last. */
  heldAt: number | null;
  /** `held` came over this link, where an agent begins with the whole: deltas may be laid on it. */
  heldIsCurrent: boolean;
  readonly waiters: Set<Waiter>;
};

/** Waits for a whole snapshot. */
type Waiter = {
  /** null where any will do: the agent does not say what it answers. */
  readonly question: number | null;
  /** Told that it came, or why it won't. */
  readonly settle: (failure: Failure | null) => void;
};

export function newAgentState(node: string): AgentState {
  return {
    node,
    link: null,
    agentVersion: null,
    clock: null,
    lastSeenAt: null,
    silentSinceMs: null,
    held: null,
    heldAt: null,
    heldIsCurrent: false,
    waiters: new Set(),
  };
}

/** What time it is on the agent's host, by what it said last. */
export function agentTime(
  { clock }: Pick<AgentState, "clock">,
  ours: Pick<Clock, "now" | "elapsedMs">,
): number {
  return clock === null ? ours.now() : clock.atMs + ours.elapsedMs() - clock.elapsedMs;
}

/** Looking takes time, so small differences say nothing; a clock that was set is seen here. */
export function correctClock(
  state: AgentState,
  { host }: Pick<NodeFacts, "host">,
  ours: Pick<Clock, "now" | "elapsedMs">,
): void {
  if (Math.abs(host.clockMs - agentTime(state, ours)) <= 5_000) return;
  state.clock = { atMs: host.clockMs, elapsedMs: ours.elapsedMs() };
}

export function viewOf(state: AgentState, ours: Pick<Clock, "now" | "elapsedMs">): AgentView {
  const now = ours.now();
  return {
    node: state.node,
    connected: state.link !== null,
    agentVersion: state.agentVersion,
    clockOffsetMs: state.clock === null ? null : Math.round(agentTime(state, ours) - now),
    lastSeenAt: state.link === null ? state.lastSeenAt : now,
    silentMs: state.silentSinceMs === null ? null : ours.elapsedMs() - state.silentSinceMs,
    facts: state.held?.facts ?? null,
    factsAt: state.heldAt,
    factsAreCurrent: state.link !== null && state.heldIsCurrent,
  };
}
