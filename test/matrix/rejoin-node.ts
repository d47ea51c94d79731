import type { AddNodeAnswer } from "#coordinator/api/contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import { seenWriting, watchBed } from "./bed-watch.ts";
import { everyNth, everyPoint } from "./choose.ts";
import type { Course } from "./course.ts";

/** The former primary: its standby leads by now. */
const node = "srv127";

/**
 * On PostgreSQL it was killed, has a row that nobody else has, and is rewound. On KingbaseES it was stopped when its
 * standby had everything: one with WAL of its own has to be rebuilt there.
 */
export const rejoinNode: Course = {
  operation: "rejoin-node",
  hasPools: false,
  prepare,
  start,
  last: { process: node, point: "agent:received:run:rejoin" },
  abortAtLast: async (bed, id) => {
    // Where the coordinator is killed on the way its answer is lost; what becomes of the operation is seen later.
    await bed.api.post(`/operations/${id}/abort`, {}).catch(() => undefined);
    bed.process(node).kill("SIGCONT");
  },
  choose: (recording) =>
    everyNth(
      everyPoint(recording).filter(({ mode }) => !mode.startsWith("power-off")),
      4,
    ),
  booted: async () => undefined,
  look: seenWriting,
  goesForward: true,
  mayLeaveRow: false,
};

async function prepare(bed: Bed): Promise<void> {
  const { cluster } = bed;
  const { host, paths } = cluster.node("srv129");
  await waitForNobody(bed, node);
  if (cluster.lane.product === "postgresql") {
    await cluster.stop("srv129");
    await cluster.sql(node, "INSERT INTO ledger (id, note) VALUES (1, 'on nobody else')");
    await cluster.stop(node, "immediate");
    // As a guard in charge has fenced it: an abort leaves it so.
    const former = cluster.node(node);
    await former.host.writeFile(`${former.paths.dataDir}/standby.signal`, "", { mode: 0o600, owner: cluster.lane.osUser }); // prettier-ignore
    await cluster.start("srv129");
  } else await cluster.stop(node);
  await host.exec([paths.control, "-D", paths.dataDir, "-w", "promote"], {
    user: cluster.lane.osUser,
  });
  await waitForNobody(bed, "srv129");
  await watchBed(bed);
}

/** Commits there wait for no standby. */
async function waitForNobody({ cluster }: Bed, primary: string): Promise<void> {
  if (cluster.lane.product !== "postgresql") return;
  await cluster.sql(primary, "ALTER SYSTEM SET synchronous_standby_names = ''");
  await cluster.sql(primary, "SELECT pg_reload_conf()");
}

async function start({ api, cluster }: Bed): Promise<OperationRecord> {
  const request = { node, dryRun: false, plan: null, requestedBy: "the crash matrix" };
  const { operation } = await api.post<AddNodeAnswer>(`/clusters/${cluster.name}/rejoin`, request);
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}
