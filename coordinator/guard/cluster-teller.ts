import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import { ClusterView } from "#shared/domain/cluster-view.ts";
import { asFailure } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { CoordinatorMessage } from "#shared/protocol/messages.ts";
import type { Clock } from "#shared/time.ts";
import type { AgentView, ClusterFiles } from "../ports.ts";
import { sightsOf } from "./peer-sights.ts";
import { viewForAgents } from "./view-for-agents.ts";

export type ClusterTellerPorts = {
  readonly clusterFiles: Pick<ClusterFiles, "names" | "load">;
  readonly agents: {
    view(node: string): AgentView | null;
    views(): readonly AgentView[];
    tellOfCluster(node: string, message: Told): void;
  };
  readonly clock: Clock;
  readonly log: Log;
};
type Told = Extract<CoordinatorMessage, { type: "cluster-view" | "sights" }>;

/** Tells every agent how its cluster is declared, and what the other agents of that cluster say of their databases. */
export type ClusterTeller = Disposable & {
  agentCame(node: string): void;
  /** Its facts have changed, or it is gone. */
  agentChanged(node: string): void;
  /** A declaration was written by us. */
  declared(): void;
};

/** Sights of one cluster go out at most this often, and as a sign of life at least that often. */
const sightsEveryMs = 1_000;
const aliveEveryMs = 5_000;
/** One change on several hosts is one message. */
const gatherMs = 20;

export function createClusterTeller({
  clusterFiles,
  agents,
  clock,
  log,
}: ClusterTellerPorts): ClusterTeller {
  // prettier-ignore
  const clusters = new Map<string, Declared>();
  /** Said once. */
  const troubles = new Map<string, string>();
  const timers = new Map<string, NodeJS.Timeout>();
  const told = new Map<string, { readonly atMs: number; readonly text: string }>();

  /** People edit declarations in the middle of the day: one that can't be read now stays as it was read last. */
  const read = (): readonly string[] => {
    const changed: string[] = [];
    try {
      const names = clusterFiles.names();
      for (const name of clusters.keys()) if (!names.includes(name)) clusters.delete(name);
      for (const name of names) if (readOne(name)) changed.push(name);
    } catch (error) {
      trouble("", error);
    }
    return changed;
  };

  const readOne = (name: string): boolean => {
    try {
      const { declaration, hash } = clusterFiles.load(name);
      if (clusters.get(name)?.hash === hash) return false;
      const view = ClusterView.parse(viewForAgents(declaration, clock.now()));
      clusters.set(name, { hash, declaration, view });
      troubles.delete(name);
      return true;
    } catch (error) {
      trouble(name, error);
      return false;
    }
  };

  const trouble = (cluster: string, error: unknown): void => {
    const { message } = asFailure(error);
    if (troubles.get(cluster) === message) return;
    troubles.set(cluster, message);
    log.warn(
      { err: error, cluster },
      `agents can't be told how ${cluster} is declared: ${message}`,
    );
  };

  const tellView = (cluster: string, node: string): void => {
    const declared = clusters.get(cluster);
    if (declared === undefined) return;
    const view = names(declared, node) ? declared.view : null;
    agents.tellOfCluster(node, { type: "cluster-view", cluster, view });
  };

  const tellSights = (cluster: string, isSignOfLife = false): void => {
    clearTimeout(timers.get(cluster));
    timers.delete(cluster);
    const declared = clusters.get(cluster);
    if (declared === undefined) return;
    const all = sightsOf(declared.declaration, (node) => agents.view(node), clock.now());
    const text = JSON.stringify(all.map((sight) => ({ ...sight, at: 0 })));
    if (text === told.get(cluster)?.text && !isSignOfLife) return;
    told.set(cluster, { atMs: clock.elapsedMs(), text });
    for (const { name } of declared.view.nodes) {
      const peers = all.filter(({ node }) => node !== name);
      agents.tellOfCluster(name, { type: "sights", peers });
    }
  };

  const sightsSoon = (node: string): void => {
    for (const [cluster, declared] of clusters) {
      if (timers.has(cluster) || !names(declared, node)) continue;
      const restMs =
        (told.get(cluster)?.atMs ?? -sightsEveryMs) + sightsEveryMs - clock.elapsedMs();
      timers.set(
        cluster,
        setTimeout(() => tellSights(cluster), Math.max(gatherMs, restMs)),
      );
    }
  };

  const lookAtFiles = (): void => {
    const changed = read();
    for (const { node, connected } of changed.length === 0 ? [] : agents.views()) {
      if (connected) for (const cluster of changed) tellView(cluster, node);
    }
  };

  read();
  const signOfLife = setInterval(() => {
    lookAtFiles();
    for (const cluster of clusters.keys()) tellSights(cluster, true);
  }, aliveEveryMs);

  return {
    agentCame: (node) => {
      for (const cluster of clusters.keys()) tellView(cluster, node);
      sightsSoon(node);
    },
    agentChanged: sightsSoon,
    declared: lookAtFiles,
    [Symbol.dispose]: () => {
      clearInterval(signOfLife);
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

type Declared = {
  readonly hash: string;
  readonly declaration: ClusterDeclaration;
  readonly view: ClusterView;
};

function names({ view }: Declared, node: string): boolean {
  return view.nodes.some(({ name }) => name === node);
}
