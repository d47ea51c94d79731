import type { LocalStep } from "./local-step.ts";

/** The last step of an addition: from here on the node is one of the cluster's. Never reached by a rollback. */
export const declareNode: LocalStep<"declare-node"> = {
  run: ({ node }, { cluster, clusterFiles }) => {
    const before = clusterFiles.load(cluster);
    const after = clusterFiles.addNode(cluster, node);
    return Promise.resolve({
      alreadyDone: before.hash === after.hash,
      lines: [`${node.name} stands in ${after.file}`],
      files: [{ path: after.file, hash: after.hash }],
    });
  },
  /** What a person may have edited since is not taken out by a machine: the step is the last, so nothing follows it. */
  undo: ({ node }, { cluster, clusterFiles }) => {
    const { declaration, file } = clusterFiles.load(cluster);
    const isThere = declaration.nodes.some(({ name }) => name === node.name);
    const line = isThere
      ? `${node.name} is left in ${file}: take it out by hand`
      : `${node.name} was not declared yet`;
    return Promise.resolve({ alreadyDone: !isThere, lines: [line], files: [] });
  },
};
