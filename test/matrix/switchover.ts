import type { AddNodeAnswer } from "#coordinator/api/contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import { seenWriting, watchBed } from "./bed-watch.ts";
import { everyPoint } from "./choose.ts";
import type { Course } from "./course.ts";

/** From the primary to its standby: every node is asked all the while whether it takes writes. */
export const switchover: Course = {
  operation: "switchover",
  hasPools: false,
  isSynchronous: true,
  prepare: watchBed,
  start,
  last: { process: "srv127", point: "step:primary-stopped/run:demote" },
  abortAtLast: async (bed, id) => {
    // Where the coordinator is killed on the way its answer is lost; what becomes of the operation is seen later.
    await bed.api.post(`/operations/${id}/abort`, {}).catch(() => undefined);
    bed.process("srv127").kill("SIGCONT");
  },
  choose: (recording) => everyPoint(recording).filter(({ mode }) => !mode.startsWith("power-off")),
  booted: async () => undefined,
  look: seenWriting,
  goesForward: true,
  mayLeaveRow: false,
};

async function start({ api, cluster }: Bed): Promise<OperationRecord> {
  const { operation } = await api.post<AddNodeAnswer>(`/clusters/${cluster.name}/switchover`, {
    to: "srv129",
    lagLimitBytes: null,
    dryRun: false,
    plan: null,
    requestedBy: "the crash matrix",
  });
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}
