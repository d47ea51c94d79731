import type { AddNodeAnswer } from "#coordinator/api/contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import { seenWriting, watchBed } from "./bed-watch.ts";
import { chooseStrikes, everyNth } from "./choose.ts";
import type { Course } from "./course.ts";

/** The standby that runs, streams, and is copied anew all the same. */
const node = "srv129";

/** Every node is asked all the while whether it takes writes. */
export const rebuildNode: Course = {
  operation: "rebuild-node",
  hasPools: false,
  prepare,
  start,
  last: { process: node, point: "agent:ended:run:verify-data" },
  abortAtLast: async (bed, id) => {
    // Where the coordinator is killed on the way its answer is lost; what becomes of the operation is seen later.
    await bed.api.post(`/operations/${id}/abort`, {}).catch(() => undefined);
    bed.process(node).kill("SIGCONT");
  },
  choose: (recording) => everyNth(chooseStrikes(recording), 4),
  booted,
  look,
  mayLeaveRow: false,
};

/** Commits don't wait for the node, or the rebuild would be refused. */
async function prepare(bed: Bed): Promise<void> {
  const { cluster } = bed;
  if (cluster.lane.product === "postgresql") {
    await cluster.sql("srv127", "ALTER SYSTEM SET synchronous_standby_names = ''");
    await cluster.sql("srv127", "SELECT pg_reload_conf()");
  }
  await watchBed(bed);
}

async function start({ api, cluster }: Bed): Promise<OperationRecord> {
  const request = { node, dryRun: false, plan: null, requestedBy: "the crash matrix" };
  const { operation } = await api.post<AddNodeAnswer>(`/clusters/${cluster.name}/rebuild`, request);
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}

/** Whatever lies there is started, ready for that or not. @throws Error when it opens as a primary */
async function booted({ cluster }: Bed, booting: string): Promise<void> {
  const { host, paths } = cluster.node(node);
  if (booting !== node || !host.exists(`${paths.dataDir}/PG_VERSION`)) return;
  const started = await cluster.start(node).then(
    () => true,
    () => false,
  );
  if (!started) return;
  const [row] = await cluster.sql(node, "SELECT pg_is_in_recovery() AS standby");
  if (row?.["standby"] !== true) throw new Error(`${paths.dataDir} opened as a primary`);
}

async function look(bed: Bed): Promise<Readonly<Record<string, string>>> {
  const { host, paths } = bed.cluster.node(node);
  const { stdout } = await host.exec(["sh", "-c", `ls -d ${paths.dataDir}.castellan-* || true`]);
  return {
    ...(await seenWriting(bed)),
    "beside the data directory": stdout,
  };
}
