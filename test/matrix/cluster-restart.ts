import type { AddNodeAnswer } from "#coordinator/api/contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import { seenWriting, watchBed } from "./bed-watch.ts";
import { everyNth, everyPoint } from "./choose.ts";
import type { Course } from "./course.ts";

/** Stop and start of everything: every node is asked all the while whether it takes writes. */
export const clusterRestart: Course = {
  operation: "cluster-restart",
  hasPools: false,
  prepare: watchBed,
  start,
  last: { process: "srv129", point: "step:database-stopped/run:stop-database" },
  abortAtLast: async (bed, id) => {
    // Where the coordinator is killed on the way its answer is lost; what becomes of the operation is seen later.
    await bed.api.post(`/operations/${id}/abort`, {}).catch(() => undefined);
    bed.process("srv129").kill("SIGCONT");
  },
  choose: (recording) =>
    everyNth(
      everyPoint(recording).filter(({ mode }) => !mode.startsWith("power-off")),
      4,
    ),
  booted: async () => undefined,
  look: seenWriting,
  mayLeaveRow: false,
};

async function start({ api, cluster }: Bed): Promise<OperationRecord> {
  const { operation } = await api.post<AddNodeAnswer>(`/clusters/${cluster.name}/restart`, {
    dryRun: false,
    plan: null,
    requestedBy: "the crash matrix",
  });
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}
