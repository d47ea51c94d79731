import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import { greaterLsn, lsnDistance } from "#shared/domain/lsn.ts";
import type { KnownNode } from "../add-node/situation.ts";

/** All that checks and planner look at: plain data, the same input gives the same plan. */
export type ForcedFailoverSituation = {
  readonly declaration: ClusterDeclaration;
  readonly nodes: readonly KnownNode[];
  /** The name that was asked for, and the node of that name. */
  readonly to: string;
  readonly successor: KnownNode | null;
  /** Nodes without an agent whose database answered the agent of another one. */
  readonly answering: readonly string[];
  readonly stallMs: number;
};

type Standby = {
  readonly node: KnownNode;
  readonly timeline: number;
  /** Greatest of received and replayed. */
  readonly position: string;
};

/** Most advanced first; of those whose agents are there. */
export function standbysOf({ nodes }: Pick<ForcedFailoverSituation, "nodes">): readonly Standby[] {
  const standbys = nodes.flatMap((node): readonly Standby[] => {
    const { role, timeline, receivedPosition, position: replayed } = node.facts?.database ?? {};
    const position = greaterLsn(receivedPosition ?? null, replayed ?? null);
    if (role !== "standby" || position === null) return [];
    return [{ node, timeline: timeline ?? 0, position }];
  });
  return standbys.toSorted((a, b) =>
    a.timeline === b.timeline
      ? (lsnDistance(a.position, b.position) ?? 0)
      : b.timeline - a.timeline,
  );
}

/** Who was the primary as far as anybody knows: as it was last heard, else the one that is stopped without a standby marker. */
export function formerPrimary({
  nodes,
  to,
}: Pick<ForcedFailoverSituation, "nodes" | "to">): KnownNode | null {
  const others = nodes.filter(({ declared }) => declared.name !== to);
  return (
    others.find(
      ({ agent, facts }) => facts === null && agent?.facts?.database.role === "primary",
    ) ??
    others.find(({ facts }) => isStoppedPrimary(facts?.database)) ??
    others.find(({ facts }) => facts?.database.status === "stopped") ??
    others.find(({ facts }) => facts === null) ??
    null
  );
}

export function isStoppedPrimary(
  database: { readonly status: string; readonly hasStandbyMarker: boolean } | undefined,
): boolean {
  return database?.status === "stopped" && !database.hasStandbyMarker;
}
