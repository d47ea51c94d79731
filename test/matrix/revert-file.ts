import type { DriftAnswer, RevertAnswer } from "#coordinator/api/drift-contract.ts";
import type { AlertRecord, OperationRecord } from "#coordinator/store/store.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { Bed } from "./bed.ts";
import { everyPoint } from "./choose.ts";
import type { Course } from "./course.ts";

/** The primary: what reads the file runs there. */
const node = "srv127";

/** A configuration file that was changed by hand in content and mode, and is in force so. */
export const revertFile: Course = {
  operation: "revert-file",
  hasPools: false,
  prepare,
  start,
  last: { process: node, point: "agent:ended:run:restore-file" },
  abortAtLast: async (bed, id) => {
    // Where the coordinator is killed on the way its answer is lost; what becomes of the operation is seen later.
    await bed.api.post(`/operations/${id}/abort`, {}).catch(() => undefined);
    bed.process(node).kill("SIGCONT");
  },
  choose: everyPoint,
  booted: async ({ cluster }, host) => {
    if (cluster.nodes.some(({ name }) => name === host)) await cluster.start(host);
  },
  look,
  mayLeaveRow: false,
};

async function prepare(bed: Bed): Promise<void> {
  const { cluster } = bed;
  const { host, paths } = cluster.node(node);
  const accepted = await host.readFile(paths.configFile);
  await host.writeFile(paths.configFile, `${accepted}work_mem = 9MB\n`, {
    mode: 0o640,
    owner: cluster.lane.osUser,
  });
  await cluster.sql(node, `SELECT ${cluster.lane.product === "postgresql" ? "pg" : "sys"}_reload_conf()`); // prettier-ignore
  await waitFor(
    async () => {
      const { drift, alerts, "in force": inForce } = await look(bed);
      return (
        drift === `${paths.configFile} changed` &&
        alerts === `node:${node}:file:${paths.configFile}` &&
        inForce === "9MB"
      );
    },
    { timeoutMs: 30_000, what: `${paths.configFile} to be known as changed, and in force` },
  );
}

async function start({ api, cluster }: Bed): Promise<OperationRecord> {
  const { operation } = await api.post<RevertAnswer>("/drift/revert", {
    node,
    file: cluster.node(node).paths.configFile,
    shown: null,
    dryRun: false,
    requestedBy: "the crash matrix",
  });
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}

/** The alerts agree with the file, the server with both, and nothing half written lies about. */
async function look({ api, cluster }: Bed) {
  const alerts = await api.get<readonly AlertRecord[]>("/alerts");
  const { files } = await api.get<DriftAnswer>("/drift");
  const [row] = await cluster.sql(node, "SELECT current_setting('work_mem') AS value");
  const { host } = cluster.node(node);
  const state = `${host.root}/var/lib/castellan-agent`;
  const { stdout } = await host.exec(["find", state, "-name", ".*.tmp"]);
  return {
    alerts: alerts
      .flatMap(({ cause }) => (cause.startsWith("node:") ? [cause] : []))
      .toSorted()
      .join(" "),
    drift: files.map(({ path, what }) => `${path} ${what}`).join(", "),
    "in force": String(row?.["value"]),
    "temporary files": stdout,
  };
}
