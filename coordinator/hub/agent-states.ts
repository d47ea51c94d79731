import type { Failure } from "#shared/errors.ts";
import type { AgentView } from "../ports.ts";
import type { AgentLink } from "./agent-link.ts";
import type { HeldFacts } from "./facts-board.ts";

/** What the hub remembers of one agent, connected or not. */
export type AgentState = {
  readonly node: string;
  link: AgentLink | null;
  /** Facts versions count within one instance only. */
  instanceId: string | null;
  agentVersion: string | null;
  clockOffsetMs: number | null;
  lastSeenAt: number | null;
  held: HeldFacts | null;
  /** `held` is of this instance: deltas may be laid on it. */
  heldIsCurrent: boolean;
  /** Whoever waits for the next whole snapshot: told that it came, or why it won't. */
  readonly waiters: Set<(failure: Failure | null) => void>;
};

export function newAgentState(node: string): AgentState {
  return {
    node,
    link: null,
    instanceId: null,
    agentVersion: null,
    clockOffsetMs: null,
    lastSeenAt: null,
    held: null,
    heldIsCurrent: false,
    waiters: new Set(),
  };
}

export function viewOf(state: AgentState, now: number): AgentView {
  return {
    node: state.node,
    connected: state.link !== null,
    agentVersion: state.agentVersion,
    clockOffsetMs: state.clockOffsetMs,
    lastSeenAt: state.link === null ? state.lastSeenAt : now,
    facts: state.held?.facts ?? null,
  };
}
