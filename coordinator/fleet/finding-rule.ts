import type { ClusterStatus, NodeStatus } from "../api/contract.ts";
import type { Finding } from "./finding.ts";

/** A cluster as it is judged. */
export type JudgedCluster = Omit<ClusterStatus, "verdict">;

/** A row of the table of what can be wrong with a cluster. */
export type FindingRule = Pick<Finding, "rule" | "area" | "severity" | "makes" | "wanted"> & {
  /** Rules of the guard that say the same of a node. */
  readonly alsoSaidBy?: readonly string[];
  readonly find: (cluster: JudgedCluster) => readonly Found[];
};

type Found = Pick<Finding, "node" | "found" | "next">;

/** One finding for each node that it is said of. */
export function ofNodes(
  say: (node: NodeStatus, cluster: JudgedCluster) => Omit<Found, "node"> | null,
): FindingRule["find"] {
  return (cluster) =>
    cluster.nodes.flatMap((node) => {
      const found = say(node, cluster);
      return found === null ? [] : [{ node: node.name, ...found }];
    });
}

/** Of the cluster as a whole. */
export function ofCluster(found: string | null, next: string): readonly Found[] {
  return found === null ? [] : [{ node: null, found, next }];
}

/** Those that accept writes, as their own servers say. */
export function primariesIn({ nodes }: Pick<JudgedCluster, "nodes">): readonly NodeStatus[] {
  return nodes.filter(({ database, role }) => database === "running" && role === "primary");
}
