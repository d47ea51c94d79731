import { open } from "node:fs/promises";
import { lsnDistance, parseLsn } from "#shared/domain/lsn.ts";
import { partingOf } from "#shared/domain/timeline-history.ts";
import { walFilePosition } from "#shared/domain/wal-file.ts";
import { archiveWal } from "../../adapters/wal-archive.ts";
import { namesIn } from "../../adapters/local-system.ts";
import { walDirectory } from "../../observe/host.ts";
import type { SeenPrimary } from "../new-primary.ts";
import type { GuardStepContext } from "../steps/step.ts";
import type { StoppedServer } from "./stopped-server.ts";

/** Where this stopped server and the primary went different ways. */
export type Parting = {
  /** null: there is nothing in common, and no rewind can help. */
  readonly at: string | null;
  /** This server has WAL, or a checkpoint, that the primary has not. */
  readonly isBeyond: boolean;
};

export function partingFrom(stopped: StoppedServer, primary: SeenPrimary): Parting {
  const parted = partingOf(stopped, primary);
  if (parted === null) return { at: null, isBeyond: true };
  // Both on one timeline: the primary's end is where this one's has to be.
  const at = parted.at ?? primary.position;
  // The checkpoint's record begins there, so it ends behind it.
  const isCheckpointBeyond = (lsnDistance(stopped.checkpoint, at) ?? 0) <= 0;
  const isBeyond = isCheckpointBeyond || (lsnDistance(stopped.end, at) ?? 0) < 0;
  return { at, isBeyond };
}

/** Segments from the parting on: of what was written here since, also what was received and never replayed. */
export async function divergedSegments(
  stopped: StoppedServer,
  at: string,
  { settings }: Pick<GuardStepContext, "settings">,
): Promise<readonly string[]> {
  const directory = await walDirectory(settings.paths.dataDirectory);
  const names = (await namesIn(directory, mostSegments)) ?? [];
  const from = Number(parseLsn(at) ?? 0n);
  const found: string[] = [];
  for (const name of names.toSorted()) {
    const begins = walFilePosition(name, stopped.segmentBytes);
    if (begins === null || begins + stopped.segmentBytes <= from) continue;
    if (Number.parseInt(name.slice(0, 8), 16) > stopped.timeline) continue;
    const path = `${directory}/${name}`;
    if ((await firstPageOf(path)) === BigInt(begins)) found.push(path);
  }
  return found;
}

/**
 * Where its first page says that it lies: a segment that was made ahead, out of an old one or of zeros, says otherwise
 * (PostgreSQL, access/xlog_internal.h: XLogPageHeaderData). Its end is no help: the control file tells what was
 * replayed, and a standby may have acknowledged far more.
 */
async function firstPageOf(path: string): Promise<bigint | null> {
  await using file = await open(path, "r");
  const header = Buffer.alloc(16);
  const { bytesRead } = await file.read(header, 0, header.length, 0);
  return bytesRead < header.length ? null : header.readBigUInt64LE(8);
}

const mostSegments = 100_000;

/** Nothing that a client was told is written is thrown away: it is kept on this host. Answers where. */
export async function keepDivergedWal(
  stopped: StoppedServer,
  at: string,
  context: GuardStepContext,
): Promise<string> {
  const { stateDirectory, guard } = context.settings;
  const folder = `${stateDirectory}/diverged-wal/${stopped.timeline}-${at.replace("/", "-")}`;
  const bytes = await archiveWal({
    folder,
    sources: await divergedSegments(stopped, at, context),
    mostBytes: guard.divergedWalBytes,
    reserveBytes: guard.slots.reserveBytes,
  });
  return `${bytes} bytes of WAL that it has not are kept in ${folder}`;
}
