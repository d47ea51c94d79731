import { takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import type { Bed } from "./bed.ts";
import type { Course } from "./course.ts";

/** With what the course looks at besides, as if it were a host's. */
export async function snapshotOf(course: Course, bed: Bed): Promise<Snapshot> {
  const snapshot = await takeSnapshot(bed.cluster, bed.castellan);
  return { ...snapshot, [course.operation]: await course.look(bed) };
}
