import * as z from "zod";
import { ClusterView } from "#shared/domain/cluster-view.ts";
import type { Log } from "#shared/log.ts";
import { removePrivateFile } from "../adapters/private-file.ts";
import { openBoundFile } from "./bound-file.ts";

const Stored = z.strictObject({ view: ClusterView });

/** How this node's cluster is declared, as a coordinator told it last: known without one, after a restart too. */
export type ClusterViewFile = {
  current(): ClusterView | null;
  /** null: that cluster does not declare this node any more. */
  take(cluster: string, view: ClusterView | null): Promise<void>;
  /** A coordinator that declares this node in another cluster is not believed; null where all is well. */
  trouble(): string | null;
};

type ClusterViewOptions = {
  readonly stateDirectory: string;
  readonly node: string;
  readonly log: Log;
  readonly machineIdFile?: string;
};

export async function openClusterView(options: ClusterViewOptions): Promise<ClusterViewFile> {
  const { stateDirectory, node, log, machineIdFile } = options;
  const path = `${stateDirectory}/cluster-view.json`;
  const file = await openBoundFile({ path, schema: Stored, node, machineIdFile });
  if (file.trouble !== null) {
    log.warn({ path }, `${file.trouble}: nothing is known of this node's cluster until a coordinator tells it.`); // prettier-ignore
  }
  let view = file.found?.view ?? null;
  let trouble: string | null = null;

  async function keep(next: ClusterView | null): Promise<void> {
    view = next;
    try {
      if (next === null) await removePrivateFile(path);
      else await file.save({ view: next });
    } catch (error) {
      log.error({ err: error, path }, "How the cluster is declared could not be kept on disk.");
    }
  }

  return {
    current: () => view,
    take: async (cluster, told) => {
      if (told === null) {
        if (view?.cluster === cluster) await keep(null);
        return;
      }
      if (view !== null && view.cluster !== cluster) {
        const said = `a coordinator declares this node in cluster ${cluster}; kept is ${view.cluster} (${path})`;
        if (trouble !== said) log.error({ cluster, kept: view.cluster }, said);
        trouble = said;
        return;
      }
      trouble = null;
      if (!isSame(view, told)) await keep(told);
    },
    trouble: () => trouble,
  };
}

function isSame(known: ClusterView | null, told: ClusterView): boolean {
  return JSON.stringify({ ...known, at: 0 }) === JSON.stringify({ ...told, at: 0 });
}
