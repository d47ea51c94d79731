import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { divergedSegments } from "#agent/guard/rejoin/diverged-wal.ts";
import type { StoppedServer } from "#agent/guard/rejoin/stopped-server.ts";
import { openPorts } from "#test/integration/agent/real-ports.ts";

const segmentBytes = 16 * 1024 * 1024;
const name = (segment: number): string => `0000000100000000${segment.toString(16).toUpperCase().padStart(8, "0")}`; // prettier-ignore

/** Its first page names the segment that was written into it; what is made ahead still names an older one. */
async function writeSegment(directory: string, segment: number, written: number): Promise<void> {
  const page = Buffer.alloc(8_192);
  page.writeBigUInt64LE(BigInt(written * segmentBytes), 8);
  await writeFile(join(directory, name(segment)), page);
}

test("WAL that a standby received and never replayed is diverged WAL, too; segments made ahead are not", async () => {
  await using home = await openPorts();
  const { dataDirectory } = home.ports.settings.paths;
  const wal = join(dataDirectory, "pg_wal");
  await mkdir(wal, { recursive: true });
  for (const segment of [1, 2, 3, 4]) await writeSegment(wal, segment, segment);
  await writeSegment(wal, 5, 1);
  const stopped: StoppedServer = {
    systemIdentifier: "7",
    state: "shut down in recovery",
    timeline: 1,
    checkpoint: "0/2000028",
    end: "0/2800000",
    segmentBytes,
    history: "",
  };
  const found = await divergedSegments(stopped, "0/2400000", home.ports);
  expect(found.map((path) => basename(path))).toEqual([name(2), name(3), name(4)]);
});
