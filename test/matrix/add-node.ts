import type { AddNodeAnswer, AddNodeRequest } from "#coordinator/api/contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import { chooseStrikes } from "./choose.ts";
import type { Course } from "./course.ts";
import { coordinatorName } from "./strike.ts";

export const addNode: Course = {
  operation: "add-node",
  hasPools: true,
  prepare: async () => undefined,
  start,
  last: { process: coordinatorName, point: "step:declared" },
  abortAtLast,
  choose: chooseStrikes,
  booted,
  look: async () => ({}),
  mayLeaveRow: true,
};

async function start({ api, cluster, newNode }: Bed): Promise<OperationRecord> {
  const request: AddNodeRequest = {
    node: newNode.name,
    address: newNode.address,
    port: null,
    dataDirectory: null,
    nic: null,
    like: null,
    source: null,
    maxRateBytesPerSecond: null,
    verify: "counts",
    onFailure: "pause",
    dryRun: false,
    // No ssh between the hosts of the test bed.
    acceptNotPromotable: cluster.lane.product === "kingbase-v8r3",
    plan: null,
    requestedBy: "the crash matrix",
  };
  const { operation } = await api.post<AddNodeAnswer>(`/clusters/${cluster.name}/nodes`, request);
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}

/**
 * The new node's agent is stopped meanwhile: the coordinator asks it once more before it calls the addition a success,
 * and so hears of the abort.
 */
async function abortAtLast(bed: Bed, id: string): Promise<void> {
  const agent = bed.process(bed.newNode.name);
  agent.kill("SIGSTOP");
  const aborted = bed.api.post(`/operations/${id}/abort`, {});
  bed.process(coordinatorName).kill("SIGCONT");
  // Where it is killed on the way its answer is lost; what becomes of the operation is seen later.
  await aborted.catch(() => undefined);
  agent.kill("SIGCONT");
}

/** Whatever lies on the new node is started, ready for that or not. @throws Error when it opens as a primary */
async function booted({ cluster, newNode }: Bed, booting: string): Promise<void> {
  const { name, host, paths } = newNode;
  if (booting !== name || !host.exists(`${paths.dataDir}/PG_VERSION`)) return;
  const started = await cluster.start(name).then(
    () => true,
    () => false,
  );
  if (!started) return;
  const [row] = await cluster.sql(name, "SELECT pg_is_in_recovery() AS standby");
  if (row?.["standby"] !== true) throw new Error(`${paths.dataDir} opened as a primary`);
  await cluster.stop(name);
  // Its own log, which none of ours knows of.
  await host.exec(["rm", "-f", paths.logFile]);
}
