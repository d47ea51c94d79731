import { readFile } from "node:fs/promises";
import { commands } from "#shared/domain/commands.ts";
import type { Snapshot } from "#test/harness/snapshot.ts";
import { pointFolder, type Bed, type Environments } from "./bed.ts";
import type { Course } from "./course.ts";
import { likeness } from "./likeness.ts";
import { atRest } from "./operation.ts";
import { snapshotOf } from "./snapshot-of.ts";
import { untilStopped } from "./stopped.ts";
import { coordinatorName, type PointLists, type Recording } from "./strike.ts";

/** What an undisturbed run reached, and what the cluster is like before and after it. */
export type Undisturbed = Pick<Recording, "run" | "preflightKinds"> & {
  readonly before: Snapshot;
  readonly after: Snapshot;
};

/** Runs the operation to its end on a fresh bed. A new step or a new point is in the record by itself. */
export async function recordRun(course: Course, bed: Bed): Promise<Undisturbed> {
  await bed.begin(logging(bed));
  await course.prepare(bed);
  const before = await snapshotOf(course, bed);
  const atStart = await reached(bed);
  const { id, plan } = await course.start(bed);
  const done = await atRest(bed, id);
  if (done.state !== "succeeded")
    throw new Error(`the undisturbed run is ${done.state}: ${done.failure?.message ?? ""}`);
  const run = without(await reached(bed), atStart);
  // As after a strike: nothing of theirs has lived through the run.
  await bed.restart(Object.fromEntries(processes(bed).map((name) => [name, {}])));
  await Promise.all(processes(bed).map((name) => hostOf(bed, name).exec(["rm", logFile])));
  const after = likeness(await snapshotOf(course, bed));
  const planned = new Set(plan.steps.map(({ kind }) => kind.toString()));
  const preflightKinds = Object.entries(commands).flatMap(([kind, { effect }]) =>
    effect === "read" && !planned.has(kind) ? [kind] : [],
  );
  return { run, preflightKinds, before, after };
}

/** Aborts it in its last step, on a fresh bed: what is reached from there on. */
export async function recordUndo(course: Course, bed: Bed): Promise<PointLists> {
  const environments = logging(bed);
  const { process, point } = course.last;
  await bed.begin({
    ...environments,
    [process]: { ...environments[process], CASTELLAN_STOP_AT: point },
  });
  await course.prepare(bed);
  const atStart = await reached(bed);
  const { id } = await course.start(bed);
  await untilStopped(bed.process(process), point);
  const before = await reached(bed);
  await course.abortAtLast(bed, id);
  const { state, failure } = await atRest(bed, id);
  if (state !== "rolled-back")
    throw new Error(`the aborted run is ${state}: ${failure?.message ?? ""}`);
  const since = Object.entries(await reached(bed)).map(([name, lines]) => [
    name,
    lines.slice(before[name]?.length ?? 0),
  ]);
  return without(Object.fromEntries(since), atStart);
}

/** What a process also reaches when it starts can't be told from its start by name. */
function without(lists: PointLists, others: PointLists): PointLists {
  return Object.fromEntries(
    Object.entries(lists).map(([name, lines]) => {
      const known = new Set(others[name]);
      return [name, lines.filter((line) => !known.has(line))];
    }),
  );
}

function processes({ agents }: Bed): readonly string[] {
  return [...agents, coordinatorName];
}

const logFile = `${pointFolder}/log`;

function logging(bed: Bed): Environments {
  const env = { CASTELLAN_POINT_LOG: logFile };
  return Object.fromEntries(processes(bed).map((name) => [name, env]));
}

async function reached(bed: Bed): Promise<PointLists> {
  const lists = processes(bed).map(async (name) => {
    const file = hostOf(bed, name).path(logFile);
    const text = await readFile(file, "utf8").catch(() => "");
    return [name, text.split("\n").filter((line) => line !== "")] as const;
  });
  return Object.fromEntries(await Promise.all(lists));
}

function hostOf({ lab }: Bed, process: string) {
  return lab.host(process === coordinatorName ? "coord" : process);
}
