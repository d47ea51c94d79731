import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { parseLsn } from "#shared/domain/lsn.ts";
import { walFilePosition, walKeptBySettings, walSegmentBytes } from "#shared/domain/wal-file.ts";
import type { Keeper } from "../decide/wal-budget.ts";

/** What keeps WAL on this server besides the slots in `own`: other slots, the archiver, the server's settings. */
export function keepersOf(database: DatabaseFacts, own: ReadonlySet<string>): readonly Keeper[] {
  const { slots, settings, archiver } = database;
  const segmentBytes = walSegmentBytes(settings);
  const position = database.position === null ? null : parseLsn(database.position);
  const oldest = archiver?.backlog?.oldestWal ?? null;
  const waitsFrom = oldest === null ? null : walFilePosition(oldest, segmentBytes);
  const kept = walKeptBySettings(settings);
  return [
    ...slots
      .filter(({ name, retainedBytes }) => !own.has(name) && retainedBytes !== null)
      .map(({ name, retainedBytes }) => ({ what: `slot ${name}, which is not ours,`, bytes: retainedBytes ?? 0 })), // prettier-ignore
    ...(position === null || waitsFrom === null
      ? []
      : [{ what: "the archiver", bytes: Math.max(0, Number(position) - waitsFrom) }]),
    ...(kept === 0 ? [] : [{ what: "the server's own setting (wal_keep)", bytes: kept }]),
  ];
}
