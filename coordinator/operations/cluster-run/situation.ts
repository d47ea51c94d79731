import type { BackendRow, CommandResult } from "#shared/domain/commands.ts";
import type { Asked, KnownNode } from "../add-node/situation.ts";
import type { SwitchoverSituation } from "../switchover/situation.ts";

export type ControlFile = CommandResult<"read-control">;

/** All that checks and planners of stop, start and restart look at: plain data. */
export type ClusterSituation = Pick<
  SwitchoverSituation,
  "declaration" | "nodes" | "primaries" | "lagLimitBytes" | "stallMs" | "holdMs"
> & {
  /** Of each stopped database, by node. */
  readonly controls: ReadonlyMap<string, Asked<ControlFile>>;
  /** Who led when an operation stopped the whole cluster, and none has changed a role since. */
  readonly stoppedAs: { readonly primary: string; readonly timeline: number } | null;
};

export function isPresent({ agent, facts }: KnownNode): boolean {
  return agent?.connected === true && facts !== null;
}

export function controlOf(
  { declared }: KnownNode,
  { controls }: Pick<ClusterSituation, "controls">,
): ControlFile | null {
  return controls.get(declared.name)?.answer ?? null;
}

/** A pool that is stopped tells no rows: this is the one that the cluster's file declares. */
export function declaredRow({ declared }: KnownNode): BackendRow | null {
  if (declared.backendId === null) return null;
  return {
    id: declared.backendId,
    hostname: declared.address,
    port: declared.port,
    weight: 1,
    dataDirectory: declared.paths.dataDirectory,
    applicationName: declared.name,
  };
}

/** Stopped, and nothing else than a standby: its control file says so too. */
export function isStoppedStandby(node: KnownNode, situation: ClusterSituation): boolean {
  const { facts } = node;
  const { status, hasStandbyMarker, hasIncompleteMarker } = facts?.database ?? {};
  if (status !== "stopped" || hasStandbyMarker !== true || hasIncompleteMarker === true) return false; // prettier-ignore
  return controlOf(node, situation)?.state.includes("recovery") === true;
}

export function isRunning({ facts }: KnownNode): boolean {
  return facts?.database.status === "running";
}

export function namesOf(nodes: readonly KnownNode[]): string {
  return nodes.map(({ declared }) => declared.name).join(", ");
}
