import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { LocalStep } from "./local-step.ts";

/** The last step of an addition: from here on the node is one of the cluster's. */
export const declareNode: LocalStep<"declare-node"> = {
  run: ({ node }, { cluster, clusterFiles }) => {
    const before = clusterFiles.load(cluster);
    const after = clusterFiles.addNode(cluster, node);
    crashPoint("step:declared");
    return Promise.resolve({
      alreadyDone: before.hash === after.hash,
      lines: [`${node.name} stands in ${after.file}`],
      files: [{ path: after.file, hash: after.hash }],
    });
  },
  /** A crash right after the file was written, then an abort: the declaration must not name a node that is gone. */
  undo: ({ node }, { cluster, clusterFiles, wasDone }) => {
    const outcome = clusterFiles.takeNode(cluster, node);
    crashPoint("step:taken-out-of-declaration");
    if (outcome === "edited" && !wasDone) {
      const line = `${node.name} stands there as somebody else declared it: left as it is`;
      return Promise.resolve({ alreadyDone: true, lines: [line], files: [] });
    }
    if (outcome === "edited") {
      throw new Failure("REFUSED", `The entry of ${node.name} was edited since it was declared.`, {
        hint: `take ${node.name} out of the declaration of ${cluster} by hand`,
      });
    }
    const line =
      outcome === "taken"
        ? `${node.name} is taken out of the declaration`
        : `${node.name} was not declared`;
    return Promise.resolve({ alreadyDone: outcome === "absent", lines: [line], files: [] });
  },
};
