import { crashPoint } from "#shared/crash-point.ts";
import type { LocalStep } from "./local-step.ts";

/** From here on the node is none of the cluster's, and its agent is told so. */
export const undeclareNode: LocalStep<"undeclare-node"> = {
  run: ({ node }, { cluster, clusterFiles }) => {
    const before = clusterFiles.load(cluster);
    const after = clusterFiles.removeNode(cluster, node.name);
    crashPoint("step:undeclared");
    return Promise.resolve({
      alreadyDone: before.hash === after.hash,
      lines: [`${node.name} stands no more in ${after.file}`],
      files: [],
    });
  },
  undo: ({ node, yaml }, { cluster, clusterFiles }) => {
    const { file } = clusterFiles.putNodeBack(cluster, node, yaml);
    crashPoint("step:declared-again");
    return Promise.resolve({
      alreadyDone: false,
      lines: [`${node.name} stands in ${file}`],
      files: [],
    });
  },
};
