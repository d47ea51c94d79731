import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { AddNodeAnswer } from "#coordinator/api/contract.ts";
import type { GuardAnswer } from "#coordinator/api/guard-contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import { everyPoint } from "./choose.ts";
import type { Course } from "./course.ts";
import type { Strike } from "./strike.ts";

const cronFile = "/etc/cron.d/KINGBASECRON";
/** The last one that is put in charge. */
const lastNode = "srv129";

/** The vendor's checks are in charge on every node, and are to be nowhere. */
export const guardTakeover: Course = {
  operation: "guard-takeover",
  mainProduct: "kingbase-v8r3",
  hasPools: false,
  cronActive: true,
  prepare: async () => undefined,
  start,
  last: { process: lastNode, point: "agent:ended:run:set-guard-mode" },
  abortAtLast: async (bed, id) => {
    // Where the coordinator is killed on the way its answer is lost; what becomes of the operation is seen later.
    await bed.api.post(`/operations/${id}/abort`, {}).catch(() => undefined);
    bed.process(lastNode).kill("SIGCONT");
  },
  choose: (recording) => everyPoint(recording).filter(isOfTakeover),
  booted: async () => undefined,
  look,
  mayLeaveRow: false,
};

/** The version of the cron file is kept by the watch of files, when that comes to it; what a host starts is not asked. */
function isOfTakeover({ mode, point }: Strike): boolean {
  return !mode.startsWith("power-off") && !/^file:[^:]+:previous$/.test(point);
}

/** Of each bed's operation: ends the watch, and says what it saw. */
const watches = new WeakMap<Bed, () => Promise<string | null>>();

async function start(bed: Bed): Promise<OperationRecord> {
  watches.set(bed, watch(bed));
  const path = `/clusters/${bed.cluster.name}/guard/takeover`;
  const request = { dryRun: false, plan: null, requestedBy: "the crash matrix" };
  const { operation } = await bed.api.post<AddNodeAnswer>(path, request);
  if (operation === null) throw new Error("only a dry run answers without an operation");
  return operation;
}

/** Both in charge at once, for however short a time: on one host or on two. */
function watch({ cluster }: Bed): () => Promise<string | null> {
  let seen: string | null = null;
  const linesOf = async (): Promise<readonly string[]> => {
    const active = await Promise.all(
      cluster.nodes.map(async ({ name, host }) => {
        const text = await readFile(host.path(cronFile), "utf8").catch(() => "");
        return /^\*/m.test(text) ? [name] : [];
      }),
    );
    return active.flat();
  };
  let isOver = false;
  const watching = (async () => {
    for (; !isOver; await pause(10)) {
      for (const { name, host } of cluster.nodes) {
        const modeOf = () =>
          readFile(host.path(`${host.root}/var/lib/castellan-agent/guard-mode.json`), "utf8");
        const before = await modeOf().catch(() => "");
        if (!before.includes('"enforce"')) continue;
        const active = await linesOf();
        // Left meanwhile: the lines may have come back after that.
        if ((await modeOf().catch(() => "")) !== before) continue;
        if (active.length === 0) continue;
        // With its moment: a run can't be as an undisturbed one was in this.
        seen ??= `${new Date().toISOString()} ${name} in charge, active lines on ${active.join(", ")}`;
      }
    }
  })();
  return async () => {
    isOver = true;
    await watching;
    return seen;
  };
}

async function look(bed: Bed) {
  const { clusters } = await bed.api.get<GuardAnswer>("/guard");
  const nodes = clusters.flatMap((cluster) => cluster.nodes);
  return {
    modes: nodes.map(({ node, guard }) => `${node} ${guard?.mode ?? "unknown"}`).join(", "),
    "both in charge": (await watches.get(bed)?.()) ?? "never",
  };
}
