import type { Bed } from "./bed.ts";
import { watchWriters, type WriterWatch } from "./writer-watch.ts";

const watches = new WeakMap<Bed, WriterWatch>();

/** From now on every node is asked all the while whether it takes writes; until it is called again. */
export async function watchBed(bed: Bed): Promise<void> {
  await watches.get(bed)?.stop();
  watches.set(bed, watchWriters(bed.cluster));
}

/** What has been seen since, for a course's look. */
export async function seenWriting(bed: Bed): Promise<Readonly<Record<string, string>>> {
  const seen = await watches.get(bed)?.look();
  return {
    primary: seen?.primaries.join(", ") ?? "unwatched",
    "acknowledged rows lost": seen?.lost.join(", ") ?? "unwatched",
    "two at once": seen?.overlaps.join(", ") ?? "unwatched",
  };
}
