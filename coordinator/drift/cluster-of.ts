import type { ClusterFiles, LoadedCluster } from "../ports.ts";

/** The cluster whose declaration names this node; one that can't be read names none. */
export function clusterOf(
  clusterFiles: Pick<ClusterFiles, "names" | "load">,
  node: string,
): LoadedCluster | null {
  for (const name of clusterFiles.names()) {
    try {
      const cluster = clusterFiles.load(name);
      if (cluster.declaration.nodes.some((declared) => declared.name === node)) return cluster;
    } catch {
      // `castellan status` says what is wrong with it.
    }
  }
  return null;
}
