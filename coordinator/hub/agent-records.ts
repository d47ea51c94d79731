import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Decision } from "#shared/domain/guard.ts";
import type { AgentMessage } from "#shared/protocol/messages.ts";
import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";
import { droppedSlotAlerts } from "../fleet/dropped-slots.ts";
import type { Store } from "../store/store.ts";
import { agentTime, type AgentState } from "./agent-states.ts";
import { acceptEvidence, acceptSeenFiles, baselinesMessage, undoneEvidence } from "./baselines.ts";
import type { CommandRequest } from "./command-board.ts";
import { alertCause, recordHostEvent } from "./host-events.ts";
import { settingAlerts } from "./setting-alerts.ts";
import { judgeOwnSlots } from "./unknown-operations.ts";

/** What agents tell, as the journal keeps it: baselines, alerts, events. Each call throws when it can't be written. */
export type AgentRecords = {
  /** New baselines are told to the agent at once. */
  filesSeen(state: AgentState, options?: { readonly acceptAll?: boolean }): void;
  slotsSeen(node: string, facts: NodeFacts): void;
  /** Alerts for what stands in a file and is not in force. */
  settingsSeen(node: string, facts: NodeFacts): void;
  changesMade(state: AgentState, request: CommandRequest, result: unknown): void;
  decision(state: AgentState, decision: Decision): void;
  hostEvent(node: string, event: Extract<AgentMessage, { type: "host-event" }>): void;
};

export function createAgentRecords(ports: {
  readonly store: Store;
  readonly clock: Clock;
  readonly events: Events;
}): AgentRecords {
  const { store, clock } = ports;
  const tellBaselines = ({ node, link }: AgentState): void => {
    link?.send(baselinesMessage(store, node));
  };
  const isBeingAdded = (node: string): boolean =>
    store
      .operations({ unfinished: true })
      .some((operation) => operation.subject === node && operation.kind === "add-node");
  /** By node, the settings whose alerts stand as they should. */
  const settingsTold = new Map<string, string>();
  return {
    filesSeen: (state, options) => {
      const facts = state.held?.facts;
      if (facts === undefined) return;
      if (acceptSeenFiles(ports, state.node, facts, clock.now(), options)) tellBaselines(state);
    },
    // What an agent did for its WAL with nobody listening is told by its facts.
    slotsSeen: (node, facts) => {
      const { raise, over } = droppedSlotAlerts(node, facts, store.alerts(), alertCause);
      for (const alert of raise) store.raiseAlert(alert, clock.now());
      for (const cause of over) store.resolveAlert(cause, clock.now());
      judgeOwnSlots(store, node, facts, clock.now());
    },
    settingsSeen: (node, { database }) => {
      const found = JSON.stringify(database.fileSettings ?? null);
      // Told with most messages, and seldom another than before.
      if (database.fileSettings === undefined || settingsTold.get(node) === found) return;
      const { raise, over } = settingAlerts(node, database.fileSettings, store.alerts({ open: true })); // prettier-ignore
      // What an operation of ours has written and not reloaded yet is in force before it ends.
      const isWorkedOn =
        raise.length > 0 &&
        store
          .operations({ unfinished: true })
          .some(({ plan }) => plan.steps.some(({ on }) => on === node));
      for (const alert of isWorkedOn ? [] : raise) store.raiseAlert(alert, clock.now());
      for (const cause of over) store.resolveAlert(cause, clock.now());
      if (!isWorkedOn) settingsTold.set(node, found);
    },
    changesMade: (state, request, result) => {
      const facts = state.held?.facts ?? null;
      const accept = (evidence: unknown): boolean =>
        acceptEvidence(ports, state.node, facts, evidence, request, clock.now());
      const isAccepted = accept(result);
      const isRestored =
        request.phase === "undo" && accept(undoneEvidence(ports, state.node, request));
      if (isAccepted || isRestored) tellBaselines(state);
    },
    decision: (state, decision) => {
      const { node } = state;
      const behindMs = clock.now() - agentTime(state, clock);
      const at = Math.round(decision.at + behindMs);
      if (!store.addDecision(node, { ...decision, node }, at)) return;
      // Only of what is watched: its steps write elsewhere, too.
      const known = new Set(store.baselines(node).map(({ path }) => path));
      const files = (decision.files ?? []).filter(({ path }) => known.has(path));
      const about = { operationId: null, stepId: `guard/${decision.rule}` };
      const facts = state.held?.facts ?? null;
      if (acceptEvidence(ports, node, facts, { files }, about, clock.now())) tellBaselines(state);
    },
    hostEvent: (node, event) =>
      recordHostEvent({ ...ports, isBeingAdded }, node, event, clock.now()),
  };
}
