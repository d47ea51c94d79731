import { parseLsn } from "#shared/domain/lsn.ts";
import { walFilePosition, walSegmentBytes } from "#shared/domain/wal-file.ts";
import { namesIn } from "../adapters/local-system.ts";

/**
 * The latest timeline on which WAL of that position lies in this directory; 0 where none does. The control file is behind
 * by up to a restartpoint, and without a receiver no view tells.
 */
export async function timelineOnDisk(
  wal: string,
  position: string,
  settings: Readonly<Record<string, string>>,
): Promise<number> {
  const segmentBytes = walSegmentBytes(settings);
  const at = Number(parseLsn(position) ?? 0n);
  const timelines = ((await namesIn(wal, mostSegments)) ?? [])
    .filter((name) => {
      const begins = walFilePosition(name, segmentBytes);
      // A position at a segment's very beginning is the end of the one before.
      return begins !== null && begins < at && at <= begins + segmentBytes;
    })
    .map((name) => Number.parseInt(name.slice(0, 8), 16));
  return Math.max(0, ...timelines);
}

const mostSegments = 100_000;
