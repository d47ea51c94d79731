import { killed, type Bed } from "./bed.ts";
import type { Course } from "./course.ts";
import { untilStopped } from "./stopped.ts";
import { coordinatorName, type Strike } from "./strike.ts";

/** The victim's whole host loses its power at the point and boots; of ours nothing is started on it yet. */
export async function powerCycle(
  course: Course,
  bed: Bed,
  { process, point, occurrence }: Strike,
): Promise<void> {
  const host = bed.lab.host(process === coordinatorName ? "coord" : process);
  await bed.begin({ [process]: { CASTELLAN_STOP_AT: `${point}@${occurrence}` } });
  await course.prepare(bed);
  const asking = course.start(bed).catch(() => undefined);
  await untilStopped(bed.process(process), point);
  // Silence first; and what has stopped itself would keep its host from ending.
  await host.cutLink();
  await killed(bed.process(process));
  await host.powerOff();
  await bed.boot(host.name);
  await course.booted(bed, host.name);
  await asking;
}
