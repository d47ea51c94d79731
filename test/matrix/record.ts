import { readFile } from "node:fs/promises";
import { commands } from "#shared/domain/commands.ts";
import { takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import type { Bed } from "./bed.ts";
import { likeness } from "./likeness.ts";
import { addNode, atRest } from "./operation.ts";
import { abortStopped, lastPoint, untilStopped } from "./stopped.ts";
import { coordinatorName, type PointLists, type Recording } from "./strike.ts";

/** What an undisturbed run reached, and what the cluster is like after it. */
export type Undisturbed = Pick<Recording, "run" | "preflightKinds"> & { readonly added: Snapshot };

/** Runs the operation to its end on a fresh bed. A new step or a new point is in the record by itself. */
export async function recordRun(bed: Bed): Promise<Undisturbed> {
  await bed.restart(await logging(bed));
  const { id, plan } = await addNode(bed);
  const done = await atRest(bed, id);
  if (done.state !== "succeeded")
    throw new Error(`the undisturbed run is ${done.state}: ${done.failure?.message ?? ""}`);
  const run = await reached(bed);
  // As after a strike: nothing of theirs has lived through the run.
  await bed.restart(Object.fromEntries(processes(bed).map((name) => [name, {}])));
  await Promise.all(processes(bed).map((name) => hostOf(bed, name).exec(["rm", "-r", folder])));
  const added = likeness(await takeSnapshot(bed.cluster, bed.castellan));
  const planned = new Set(plan.steps.map(({ kind }) => kind.toString()));
  const preflightKinds = Object.entries(commands).flatMap(([kind, { effect }]) =>
    effect === "read" && !planned.has(kind) ? [kind] : [],
  );
  return { run, preflightKinds, added };
}

/** Aborts it in its last step, on a fresh bed: what is reached from there on. */
export async function recordUndo(bed: Bed): Promise<PointLists> {
  const environments = await logging(bed);
  await bed.restart({
    ...environments,
    [coordinatorName]: { ...environments[coordinatorName], CASTELLAN_STOP_AT: lastPoint },
  });
  const { id } = await addNode(bed);
  await untilStopped(bed.process(coordinatorName), lastPoint);
  const before = await reached(bed);
  await abortStopped(bed, id);
  const { state } = await atRest(bed, id);
  if (state !== "rolled-back") throw new Error(`the aborted run is ${state}`);
  return Object.fromEntries(
    Object.entries(await reached(bed)).map(([name, lines]) => [
      name,
      lines.slice(before[name]?.length ?? 0),
    ]),
  );
}

function processes({ agents }: Bed): readonly string[] {
  return [...agents, coordinatorName];
}

/** In the hosts' memory, where no comparison of disks sees it. */
const folder = "/dev/shm/points";

async function logging(bed: Bed): Promise<Record<string, Record<string, string>>> {
  const owner = bed.cluster.lane.osUser;
  await Promise.all(
    processes(bed).map((name) => hostOf(bed, name).makeDirectory(folder, { owner })),
  );
  const env = { CASTELLAN_POINT_LOG: `${folder}/log` };
  return Object.fromEntries(processes(bed).map((name) => [name, env]));
}

async function reached(bed: Bed): Promise<PointLists> {
  const lists = processes(bed).map(async (name) => {
    const text = await readFile(hostOf(bed, name).path(`${folder}/log`), "utf8");
    return [name, text.split("\n").filter((line) => line !== "")] as const;
  });
  return Object.fromEntries(await Promise.all(lists));
}

function hostOf({ lab }: Bed, process: string) {
  return lab.host(process === coordinatorName ? "coord" : process);
}
