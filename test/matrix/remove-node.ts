import type { AddNodeAnswer } from "#coordinator/api/contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import { seenWriting, watchBed } from "./bed-watch.ts";
import { everyNth, everyPoint } from "./choose.ts";
import type { Course } from "./course.ts";

/** The only standby leaves: nobody's commits wait for it. */
export const removeNode: Course = {
  operation: "remove-node",
  hasPools: false,
  prepare,
  start,
  last: { process: "srv127", point: "step:node-slot-dropped/run:drop-slots" },
  abortAtLast: async (bed, id) => {
    // Where the coordinator is killed on the way its answer is lost; what becomes of the operation is seen later.
    await bed.api.post(`/operations/${id}/abort`, {}).catch(() => undefined);
    bed.process("srv127").kill("SIGCONT");
  },
  choose: (recording) =>
    everyNth(
      everyPoint(recording).filter(({ mode }) => !mode.startsWith("power-off")),
      4,
    ),
  booted: async () => undefined,
  look: async (bed) => ({
    ...(await seenWriting(bed)),
    "srv129 runs": String(await bed.cluster.isRunning("srv129")),
  }),
  mayLeaveRow: false,
};

/** Commits don't wait for the node, or the removal would be refused. */
async function prepare(bed: Bed): Promise<void> {
  const { cluster } = bed;
  if (cluster.lane.product === "postgresql") {
    await cluster.sql("srv127", "ALTER SYSTEM SET synchronous_standby_names = ''");
    await cluster.sql("srv127", "SELECT pg_reload_conf()");
  }
  await watchBed(bed);
}

async function start({ api, cluster }: Bed): Promise<OperationRecord> {
  const { operation } = await api.post<AddNodeAnswer>(`/clusters/${cluster.name}/remove`, {
    node: "srv129",
    deleteData: false,
    gone: false,
    dryRun: false,
    plan: null,
    requestedBy: "the crash matrix",
  });
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}
