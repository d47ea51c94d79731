import type { Progress } from "#shared/domain/commands.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { AgentMessage, CoordinatorMessage } from "#shared/protocol/messages.ts";
import { protocolVersion, version } from "#shared/version.ts";
import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";
import type { AgentView } from "../ports.ts";
import type { CoordinatorSettings } from "../settings.ts";
import type { Store } from "../store/store.ts";
import type { AgentLink } from "./agent-link.ts";
import { createAgentRecords, type AgentRecords } from "./agent-records.ts";
import { agentTime, correctClock, newAgentState, viewOf, type AgentState } from "./agent-states.ts";
import { baselinesMessage } from "./baselines.ts";
import {
  CommandBoard,
  type CommandRequest,
  type Dispatch,
  type DispatchOptions,
} from "./command-board.ts";
import { applyDelta } from "./facts-board.ts";
import { judgeEpoch } from "./epoch-alert.ts";
import { createPresence, type Presence } from "./presence.ts";

export type HubPorts = {
  readonly settings: Pick<CoordinatorSettings, "heartbeat" | "limits">;
  readonly store: Store;
  readonly clock: Clock;
  readonly events: Events;
  /** An agent knows of a coordinator that this journal does not know: nothing may simply go on. */
  readonly onMissedPast: (because: string) => void;
  /** An agent is there, and may be told of its cluster. */
  readonly onWelcome: (node: string) => void;
  readonly onLost: (node: string) => void;
  /** Its facts are others than before. */
  readonly onFacts: (node: string) => void;
};

/** The agents as the coordinator knows them: who is connected, their facts, the commands under way. */
export class Hub {
  readonly #ports: HubPorts;
  readonly #states = new Map<string, AgentState>();
  readonly #commands: CommandBoard;
  readonly #presence: Presence;
  readonly #records: AgentRecords;
  readonly #watchers = new Set<() => void>();
  #questions = 0;
  #isClosed = false;
  #isHeld = false;

  constructor(ports: HubPorts) {
    this.#ports = ports;
    const { store, clock, events, settings } = ports;
    this.#presence = createPresence({
      store,
      events,
      clock,
      awayAlertMs: settings.limits.awayAlertMs,
    });
    this.#records = createAgentRecords({ store, clock, events });
    this.#commands = new CommandBoard({
      epoch: store.epoch,
      sendTo: (node) => {
        const link = this.#states.get(node)?.link ?? null;
        return link === null ? null : (message) => link.send(message);
      },
      expiryFor: (node) =>
        agentTime(this.#states.get(node) ?? newAgentState(node), clock) +
        settings.limits.beginWithinMs,
      onDone: (node, request, result) =>
        this.#records.changesMade(this.#state(node), request, result),
    });
  }

  /** null when no agent of that name ever joined. */
  view(node: string): AgentView | null {
    const state = this.#states.get(node);
    if (state !== undefined) return viewOf(state, this.#ports.clock);
    return this.#ports.store.agent(node) === null
      ? null
      : viewOf(newAgentState(node), this.#ports.clock);
  }

  views(): readonly AgentView[] {
    return this.#ports.store
      .agents()
      .map(({ node }) => this.view(node))
      .filter((view) => view !== null);
  }

  /** Told of whatever changes what `view` answers. */
  watch(watcher: () => void): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }

  linkOf(node: string): AgentLink | null {
    return this.#states.get(node)?.link ?? null;
  }

  /** The link takes the node's place; a former one must have been closed or given up before. */
  welcome(link: AgentLink): void {
    if (this.#isClosed) {
      link.close("shuttingDown", "the coordinator is stopping");
      return;
    }
    const { clock, events, settings, store } = this.#ports;
    const { hello, address } = link;
    const state = this.#state(hello.node);
    state.link = link;
    state.silentSinceMs = null;
    state.heldIsCurrent = false;
    state.agentVersion = hello.agentVersion;
    state.clock = { atMs: hello.clockMs, elapsedMs: clock.elapsedMs() };
    this.#presence.connected(hello.node);
    const missed = judgeEpoch(this.#ports, hello, clock.now());
    // Before anything is sent to this agent, and once: what a person has taken up again goes on.
    if (missed !== null && !this.#isHeld) {
      this.#ports.onMissedPast(missed);
      this.#isHeld = true;
    }
    const { agentVersion, instanceId } = hello;
    events.emit("agent:connected", { node: hello.node }, { address, agentVersion, instanceId });
    link.send({
      type: "welcome",
      protocol: protocolVersion,
      coordinatorVersion: version,
      epoch: store.epoch,
      clockMs: clock.now(),
      heartbeat: settings.heartbeat,
    });
    link.send(baselinesMessage(store, hello.node));
    this.#ports.onWelcome(hello.node);
    this.#tellWatchers();
    this.#commands.resendTo(hello.node);
    link.goLive((message) => {
      try {
        this.#receive(state, message);
      } catch (error) {
        // The journal can't be written: what was not acknowledged is sent again over the next link.
        link.terminate(`could not be recorded: ${asFailure(error).message}`);
      }
    });
  }

  /** A link that was welcomed is gone. */
  farewell(link: AgentLink, reason: string): void {
    const state = this.#states.get(link.hello.node);
    if (state === undefined || state.link !== link) return;
    state.link = null;
    state.lastSeenAt = this.#ports.clock.now();
    // What it told over an earlier link may be another life's word.
    const isHeard = link.endedInSilence && state.heldIsCurrent;
    state.silentSinceMs = isHeard ? this.#ports.clock.elapsedMs() : null;
    if (this.#isClosed) return;
    for (const { settle } of state.waiters) settle(this.#away(state.node));
    this.#ports.events.emit("agent:lost", { node: state.node }, { reason });
    this.#presence.lost(state.node);
    this.#ports.onLost(state.node);
    this.#tellWatchers();
  }

  dispatch(
    node: string,
    request: CommandRequest,
    onProgress?: (progress: Progress) => void,
    options?: DispatchOptions,
  ): Dispatch {
    return this.#commands.dispatch(node, request, onProgress, options);
  }

  /** A whole snapshot that was begun after this call has arrived. @throws Failure NODE_UNREACHABLE */
  async observe(node: string): Promise<void> {
    const state = this.#states.get(node);
    const link = state?.link ?? null;
    const limitMs = this.#ports.settings.limits.observeMs;
    if (state === undefined || link === null) throw this.#away(node);
    const missed = new Failure(
      "NODE_UNREACHABLE",
      `The agent of ${node} sent no snapshot within ${limitMs} ms.`,
    );
    await new Promise<void>((resolve, reject) => {
      const settle = (failure: Failure | null): void => {
        clearTimeout(timer);
        state.waiters.delete(waiter);
        if (failure === null) resolve();
        else reject(failure);
      };
      const timer = setTimeout(() => settle(missed), limitMs);
      const question = link.numbersAnswers ? (this.#questions += 1) : null;
      const waiter = { question, settle };
      state.waiters.add(waiter);
      link.send({ type: "observe-now", ...(question === null ? {} : { question }) });
    });
  }

  tellBaselines(node: string): void {
    this.#states.get(node)?.link?.send(baselinesMessage(this.#ports.store, node));
  }

  /** Nothing to one that is away, or of a version that would take it for a bad message. */
  tellOfCluster(
    node: string,
    message: Extract<CoordinatorMessage, { type: "cluster-view" | "sights" | "reserve" }>,
  ): void {
    const link = this.linkOf(node);
    if (link?.knowsCluster === true) link.send(message);
  }

  /**
   * Looks once more; then whatever stands on the node is accepted: an operation of ours is through with it. An agent
   * that is away is waited for, so that a restart of ours does not pass for its absence.
   */
  async acceptAllFiles(
    node: string,
    { patienceMs, signal }: { readonly patienceMs: number; readonly signal: AbortSignal | null } = {
      patienceMs: 0,
      signal: null,
    },
  ): Promise<void> {
    const { clock } = this.#ports;
    const until = clock.elapsedMs() + patienceMs;
    // Away for too long, or too slow: what it told last has to do.
    while (!(await this.#isSeen(node))) {
      const isKnown = this.#ports.store.agent(node) !== null;
      if (!isKnown || signal?.aborted === true || clock.elapsedMs() >= until) break;
      await clock.sleep(100, signal ?? undefined).catch(() => undefined); // the loop ends by the signal
    }
    const state = this.#states.get(node);
    if (state === undefined || this.#isClosed) return;
    this.#records.filesSeen(state, { acceptAll: true });
  }

  #factsCame(node: string): void {
    this.#ports.onFacts(node);
    this.#tellWatchers();
  }

  #tellWatchers(): void {
    for (const tell of this.#watchers) tell();
  }

  #isSeen(node: string): Promise<boolean> {
    return this.observe(node).then(
      () => true,
      () => false,
    );
  }

  /** Says goodbye to every agent; what happens from now on is not recorded any more. */
  close(): void {
    this.#isClosed = true;
    this.#presence[Symbol.dispose]();
    for (const { node, link, waiters } of this.#states.values()) {
      for (const { settle } of waiters) settle(this.#away(node));
      link?.close("shuttingDown", "the coordinator is stopping");
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.close();
  }

  #away(node: string): Failure {
    const seen = this.#states.get(node)?.lastSeenAt ?? null;
    const joined = this.#ports.store.agent(node) !== null;
    return new Failure(
      "NODE_UNREACHABLE",
      joined
        ? `The agent of ${node} is not connected${seen === null ? "" : ` (last seen ${new Date(seen).toISOString()})`}.`
        : `No agent of ${node} ever joined.`,
      {
        hint: joined
          ? `on ${node}: systemctl status castellan-agent`
          : `castellan token create --node ${node}, and paste its line on that host`,
      },
    );
  }

  #state(node: string): AgentState {
    const known = this.#states.get(node);
    if (known !== undefined) return known;
    const state = newAgentState(node);
    this.#states.set(node, state);
    return state;
  }

  #receive(state: AgentState, message: AgentMessage): void {
    if (this.#isClosed) return;
    const { clock } = this.#ports;
    const records = this.#records;
    const handlers: Handlers = {
      // The link takes care of a second hello.
      hello: () => undefined,
      facts: ({ version: v, facts, answers = 0 }) => {
        state.held = { version: v, facts };
        state.heldAt = clock.now();
        state.heldIsCurrent = true;
        correctClock(state, facts, clock);
        records.filesSeen(state);
        records.slotsSeen(state.node, facts);
        records.settingsSeen(state.node, facts);
        for (const { question, settle } of state.waiters) {
          if (question === null || answers >= question) settle(null);
        }
        this.#factsCame(state.node);
      },
      "facts-changed": (delta) => {
        const outcome = applyDelta(state.heldIsCurrent ? state.held : null, delta);
        if (outcome === "resend") state.link?.send({ type: "resend-facts" });
        if (typeof outcome === "string") return;
        state.held = outcome.held;
        state.heldAt = clock.now();
        // An unchanged host is not told again: what is held of it says nothing about the clock of now.
        if (delta.sections.host !== undefined) correctClock(state, outcome.held.facts, clock);
        if (delta.sections.files !== undefined) records.filesSeen(state);
        if (delta.sections.agent !== undefined) records.slotsSeen(state.node, outcome.held.facts);
        records.settingsSeen(state.node, outcome.held.facts);
        this.#factsCame(state.node);
      },
      // Known to be there: only interesting to whoever reads the traffic.
      "command-accepted": () => undefined,
      "command-progress": ({ commandId, progress }) =>
        this.#commands.progress(state.node, commandId, progress),
      "command-ended": (ended) => {
        this.#commands.ended(state.node, ended);
        // Also without a waiter: asked again with the same id, the agent still answers from its store.
        state.link?.send({ type: "command-acknowledged", commandId: ended.commandId });
      },
      "host-event": (event) => {
        records.hostEvent(state.node, event);
        state.link?.send({ type: "host-event-acknowledged", eventId: event.eventId });
      },
      decision: ({ decision }) => {
        records.decision(state, decision);
        const outcome = state.link?.knowsCluster === true ? { outcome: decision.outcome } : {};
        state.link?.send({ type: "decision-acknowledged", id: decision.id, ...outcome });
      },
    };
    callHandler(handlers, message);
  }
}

type Handlers = {
  readonly [T in AgentMessage["type"]]: (message: Extract<AgentMessage, { type: T }>) => void;
};

function callHandler<T extends AgentMessage["type"]>(
  handlers: Handlers,
  message: Extract<AgentMessage, { type: T }>,
): void {
  const handler: (message: Extract<AgentMessage, { type: T }>) => void = handlers[message.type];
  handler(message);
}
