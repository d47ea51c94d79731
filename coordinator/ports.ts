import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { CommandArgs, CommandKind, CommandResult } from "#shared/domain/commands.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/time.ts";
import type { ShownPlans } from "./operations/shown-plans.ts";
import type { Store } from "./store/store.ts";

/** What operations and the API need of the coordinator's world. Implemented beside it, wired in main.ts. */
export type CoordinatorPorts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly fleet: Fleet;
  readonly clusterFiles: ClusterFiles;
  readonly shownPlans: ShownPlans;
};

export type AgentView = {
  readonly node: string;
  readonly connected: boolean;
  readonly agentVersion: string | null;
  /** The agent's clock minus ours, from the last heartbeat. */
  readonly clockOffsetMs: number | null;
  readonly lastSeenAt: number | null;
  /** For how long its link is gone, which ended by nothing but silence: null while it lives, or where it ended otherwise. */
  readonly silentMs: number | null;
  /** What it told last, over whichever connection. */
  readonly facts: NodeFacts | null;
  /** When it told of a change last: what has not changed is not told again. */
  readonly factsAt: number | null;
  /** They came over the connection that it has now. */
  readonly factsAreCurrent: boolean;
};

export type Fleet = {
  /** null when no agent of that name ever joined. */
  agent(node: string): AgentView | null;
  agents(): readonly AgentView[];
  /** An agent came, went, or told of a change. */
  watch(listener: () => void): Disposable;
  /** Every one of these agents looks again and its whole snapshot has arrived. @throws Failure NODE_UNREACHABLE */
  observe(nodes: readonly string[]): Promise<void>;
  /** New baselines are told to the agent, if it is there. */
  tellBaselines(node: string): void;
  /** A read-only command outside any operation. @throws Failure NODE_UNREACHABLE, or the agent's own failure. */
  ask<K extends CommandKind>(
    node: string,
    kind: K,
    args: CommandArgs<K>,
    options?: { readonly timeoutMs?: number },
  ): Promise<CommandResult<K>>;
};

export type LoadedCluster = {
  readonly file: string;
  readonly yaml: string;
  /** sha256 of the file's bytes. */
  readonly hash: string;
  readonly declaration: ClusterDeclaration;
};

/** The folder of cluster declarations: NAME.yaml each; people may edit them. */
export type ClusterFiles = {
  names(): readonly string[];
  /** @throws Failure NOT_FOUND; CONFIG_INVALID with file:line:column. */
  load(name: string): LoadedCluster;
  /** @throws Failure ALREADY_EXISTS */
  create(name: string, yaml: string): LoadedCluster;
  /** Adds the node to the list, comments kept; replaced atomically. Already there with the same content: nothing. */
  addNode(name: string, node: NodeDeclaration): LoadedCluster;
  /** Takes out exactly what addNode put in; `edited`: a person has changed the entry since, it stays. */
  takeNode(name: string, node: NodeDeclaration): "taken" | "absent" | "edited";
  /** Takes the entry out, whoever wrote it. @throws Failure CONFIG_INVALID where it can't be told apart */
  removeNode(name: string, node: string): LoadedCluster;
  /** The bytes of before, if nobody has edited the file since the node was removed; else its entry alone. */
  putNodeBack(name: string, node: NodeDeclaration, yaml: string): LoadedCluster;
};
