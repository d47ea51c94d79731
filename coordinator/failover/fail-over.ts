import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { FailoverAnswer, FailoverCall } from "#shared/protocol/messages.ts";
import type { Events } from "../events.ts";
import { roleChanger } from "../operations/changes-roles.ts";
import type { Runner } from "../operations/runner.ts";
import type { CoordinatorPorts, LoadedCluster } from "../ports.ts";
import type { OperationRecord } from "../store/store.ts";
import { conninfoHost } from "#shared/config-files/conninfo.ts";
import { decideFailover, type FailoverCase, type NodeLook } from "./decide.ts";
import { planFailover } from "./plan.ts";
import { judgeSilence } from "./silence.ts";

/** A node says that its pool has lost a backend that was the primary. Answers when another one leads, or why none does. */
export type FailOver = (reporter: string, call: FailoverCall) => Promise<FailoverAnswer>;

type FailOverPorts = Pick<CoordinatorPorts, "store" | "clock" | "fleet" | "clusterFiles"> & {
  readonly events: Events;
  readonly runner: Pick<Runner, "start">;
  readonly heartbeat: { readonly everyMs: number; readonly lostAfterMs: number };
  /** An address of the coordinator's own host. */
  readonly isOwnAddress: (address: string) => boolean;
};

/** Of a standby that still receives, or an old primary whose sessions are ending, is heard anew for so long. */
const decideWithinMs = 30_000;
/** Whoever asks is told to ask again before it gives up. */
const answerWithinMs = 45_000;
const promotedWithinMs = 20_000;
const lookAgainMs = 200;
const askMs = 10_000;

export function createFailOver(ports: FailOverPorts): FailOver {
  /** Both pools may call, and each more than once: they are one failover, with one answer. */
  const underWay = new Map<string, Promise<FailoverAnswer>>();
  return async (reporter, call) => {
    const cluster = clusterOf(reporter, ports);
    const lost = lostNode(cluster, call);
    const { name } = cluster.declaration;
    const current =
      underWay.get(name) ??
      failOver(cluster, lost, `pool of ${reporter}`, ports).finally(() => underWay.delete(name));
    underWay.set(name, current);
    return current;
  };
}

async function failOver(
  cluster: LoadedCluster,
  lost: NodeDeclaration,
  requestedBy: string,
  ports: FailOverPorts,
): Promise<FailoverAnswer> {
  const { clock, events, store } = ports;
  const { name } = cluster.declaration;
  const answer = await decided(cluster, lost, requestedBy, ports);
  events.emit("failover:asked", { node: lost.name }, { ...answer, lost: lost.name });
  const cause = `failover:${name}`;
  if (answer.outcome !== "waits") store.resolveAlert(cause, clock.now());
  else {
    store.raiseAlert(
      {
        cause,
        severity: "critical",
        node: lost.name,
        summary: `the pool has lost ${lost.name}, the primary of ${name}, and nobody was promoted`,
        detail: answer.because,
        fix: `castellan status; castellan why ${lost.name}`,
      },
      clock.now(),
    );
  }
  return answer;
}

async function decided(
  cluster: LoadedCluster,
  lost: NodeDeclaration,
  requestedBy: string,
  ports: FailOverPorts,
): Promise<FailoverAnswer> {
  const { clock, runner, store } = ports;
  const { name } = cluster.declaration;
  for (const begun = clock.elapsedMs(); ; await clock.sleep(lookAgainMs)) {
    // Asked anew each time: one that begins meanwhile has the word, too.
    const holder = roleChanger(store, name);
    if (holder !== null) {
      const isUnderWay = ["planned", "running", "rolling-back"].includes(holder.state);
      const because = heldBecause(holder);
      return isUnderWay ? { outcome: "held", primary: null, because } : waits(because);
    }
    const decision = decideFailover(await look(cluster, lost, ports));
    if (decision.do === "nothing") {
      return { outcome: "led", primary: decision.primary, because: decision.because };
    }
    if (decision.do === "promote") {
      // What has begun during the look has the word, too.
      if (roleChanger(store, name) !== null) continue;
      const { successor, because } = decision;
      const plan = planFailover(cluster, successor, [because]);
      const operation = runner.start({ kind: "failover", cluster: name, subject: successor.node, requestedBy, plan, onFailure: "rollback" }); // prettier-ignore
      return promoted(operation, because, ports);
    }
    const { because, inMs = null, mayChange } = decision;
    const tookMs = clock.elapsedMs() - begun;
    if (inMs !== null && tookMs > answerWithinMs) return { ...waits(because), again: true };
    if (inMs === null && (!mayChange || tookMs > decideWithinMs)) return waits(because);
  }
}

/** Both looks come after the proof: nothing more can come from the former primary then. */
async function look(
  cluster: LoadedCluster,
  lost: NodeDeclaration,
  ports: FailOverPorts,
): Promise<FailoverCase> {
  const others = cluster.declaration.nodes.map(({ name }) => name).filter((one) => one !== lost.name); // prettier-ignore
  const answer = await proofOf(lost.name, others, ports);
  const before = await lookAt(others, ports);
  // What the others say of it is as new as what they say of themselves.
  const proof = "missing" in answer ? silenceOf(lost, cluster, answer, ports) : answer;
  const leftBehind = leftBy(lost.name, ports);
  return { lost: lost.name, others, proof, leftBehind, looks: [before, await lookAt(others, ports)] }; // prettier-ignore
}

async function proofOf(
  node: string,
  others: readonly string[],
  { fleet }: FailOverPorts,
): Promise<FailoverCase["proof"]> {
  const views = others.flatMap((other) => fleet.agent(other) ?? []);
  const leads = views.find(({ connected, facts }) => !connected && facts?.database.role === "primary"); // prettier-ignore
  if (leads !== undefined) {
    const missing = `${leads.node} was the primary when it was last heard, and its agent is away`;
    return { missing, mayCome: true, inMs: null };
  }
  try {
    const { synchronousStandbyNames, timeline } = await fleet.ask(node, "fence", {}, { timeoutMs: askMs }); // prettier-ignore
    return {
      because: `${node} is stopped behind a standby marker`,
      synchronousStandbyNames,
      timeline,
      silentHost: null,
    };
  } catch (error) {
    const { message, retryable } = asFailure(error);
    return { missing: `${node} is not proved to be stopped: ${message}`, mayCome: retryable, inMs: null }; // prettier-ignore
  }
}

/** In place of the word of an agent that is away. */
function silenceOf(
  { address, name }: NodeDeclaration,
  { declaration: { nodes } }: LoadedCluster,
  answer: Extract<FailoverCase["proof"], { missing: string }>,
  { clock, fleet, heartbeat, isOwnAddress }: FailOverPorts,
): FailoverCase["proof"] {
  const lost = fleet.agent(name);
  const database = lost?.facts?.database;
  if (lost?.connected !== false || database?.role !== "primary" || database.timeline === null) return answer; // prettier-ignore
  const verdict = judgeSilence({
    lost: name,
    nodes: nodes.map((node) => node.name),
    coordinatorIsVoter: !nodes.some((node) => isOwnAddress(node.address)),
    selfFence: lost.facts?.guard.selfFence ?? null,
    silentMs: lost.silentMs,
    words: nodes.flatMap((node) => {
      const view = fleet.agent(node.name);
      if (view?.factsAreCurrent !== true) return [];
      const since = view.facts?.guard.silent?.find((one) => one.node === name)?.since;
      const its = clock.now() + (view.clockOffsetMs ?? 0);
      return [{ node: node.name, silentMs: since === undefined ? null : Math.max(0, its - since) }];
    }),
    linkLostAfterMs: heartbeat.everyMs + heartbeat.lostAfterMs,
  });
  if (!verdict.stopped) {
    const { because, inMs, mayCome } = verdict;
    return { missing: because, mayCome, inMs };
  }
  return {
    because: verdict.because,
    synchronousStandbyNames: database.settings["synchronous_standby_names"] ?? "",
    timeline: database.timeline,
    silentHost: address,
  };
}

/** By the last word of its guard on whom its commits wait for; it is told before anything else that its agent has to tell. */
function leftBy(node: string, { store }: FailOverPorts): readonly string[] {
  for (const { decision } of store.decisions(node)) {
    if (decision.outcome !== "done" && decision.outcome !== "begun") continue;
    const step = decision.steps.find((one) => one.do === "synchronous");
    if (step !== undefined) return step.notPromotable;
  }
  return [];
}

async function lookAt(
  nodes: readonly string[],
  { clock, fleet }: FailOverPorts,
): Promise<readonly NodeLook[]> {
  const looks = nodes.map(async (node): Promise<readonly NodeLook[]> => {
    if (fleet.agent(node)?.connected !== true) return [];
    await Promise.race([fleet.observe([node]), clock.sleep(askMs).then(() => Promise.reject(new Error("no answer")))]); // prettier-ignore
    const database = fleet.agent(node)?.facts?.database;
    if (database === undefined) return [];
    const { role, systemIdentifier, timeline, position, receivedPosition, receiver } = database;
    return [
      {
        node,
        role,
        systemIdentifier,
        timeline,
        received: receivedPosition,
        replayed: position,
        receivesFrom: receiver?.status === "streaming" ? (conninfoHost(receiver.conninfo) ?? "?") : null, // prettier-ignore
      },
    ];
  });
  const settled = await Promise.allSettled(looks);
  return settled.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
}

async function promoted(
  { id, subject }: OperationRecord,
  because: string,
  { clock, store }: FailOverPorts,
): Promise<FailoverAnswer> {
  const begun = clock.elapsedMs();
  for (;;) {
    const operation = store.operation(id);
    if (operation?.steps.every(({ state }) => state === "done") === true) {
      return { outcome: "promoted", primary: subject, because };
    }
    const hasEnded = operation !== null && !["planned", "running"].includes(operation.state);
    if (hasEnded || clock.elapsedMs() - begun > promotedWithinMs) {
      const failure = operation?.failure?.message ?? operation?.steps[0]?.failure?.message;
      return waits(`${subject} was to be promoted (${id}), and is not${failure === undefined ? " yet" : `: ${failure}`}`); // prettier-ignore
    }
    await clock.sleep(20);
  }
}

function heldBecause({ id, kind, state, subject }: OperationRecord): string {
  return `${kind} ${subject} (${id}, ${state}) says who becomes the primary: castellan operation show ${id}`;
}

function waits(because: string): FailoverAnswer {
  return { outcome: "waits", primary: null, because };
}

function clusterOf(node: string, { clusterFiles }: FailOverPorts): LoadedCluster {
  for (const name of clusterFiles.names()) {
    const cluster = clusterFiles.load(name);
    if (cluster.declaration.nodes.some((one) => one.name === node)) return cluster;
  }
  throw new Failure("NOT_FOUND", `${node} is no node of a declared cluster.`);
}

/** By its address, which both the pool and the declaration have; a pool may name its backends, which only the row's number tells. */
function lostNode({ declaration }: LoadedCluster, call: FailoverCall): NodeDeclaration {
  const found =
    declaration.nodes.find(({ address, port }) => address === call.host && port === call.port) ??
    declaration.nodes.find(({ backendId }) => backendId === call.backendId);
  if (found !== undefined) return found;
  throw new Failure("NOT_FOUND", `${declaration.name} has no node ${call.host}:${call.port} (backend ${call.backendId}).`); // prettier-ignore
}
