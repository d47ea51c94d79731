import { closeSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { crashPoint } from "#shared/crash-point.ts";
import { openCommitMark } from "./commit-mark.ts";
import type { Connection } from "./connection.ts";
import { loadPageSums, readIfThere, savePageSums, sumsAfterCheckpoint } from "./page-sums.ts";
import { keepLog, partsOf } from "./seal.ts";
import { beginOfWal, commitsAfter, walHeaderBytes, type WalPlace } from "./wal-file.ts";

/** SQLite's own limit of 1000 pages. */
const checkpointBytes = 4 * 1024 * 1024;

/**
 * The same connection, marking what it acknowledged and keeping the page sums. The sums of a checkpoint are saved
 * before it: until the log is emptied it outvotes them, so that a crash at any instant leaves both in order.
 */
export function sealedConnection(plain: Connection, file: string): Connection {
  const parts = partsOf(file);
  const mark = openCommitMark(parts.mark);
  let isLogKept = false;
  let checkpoints = loadPageSums(parts.sums)?.checkpoints ?? 0;
  let place: WalPlace | null = null;
  let isWithin = false;
  let checkpointAt = checkpointBytes;

  const transaction = <T>(work: () => T): T => {
    if (isWithin) return work();
    isWithin = true;
    try {
      const result = plain.transaction(work);
      crashPoint("store:committed");
      afterCommit();
      return result;
    } finally {
      isWithin = false;
    }
  };
  /** Nothing in here undoes the commit, which is on disk: what fails is tried again with the next one. */
  const afterCommit = (): void => {
    const size = statSync(parts.wal, { throwIfNoEntry: false })?.size ?? 0;
    try {
      if (!isLogKept) {
        keepLog(file);
        isLogKept = true;
        checkpoints = loadPageSums(parts.sums)?.checkpoints ?? checkpoints;
      }
      place = follow(parts.wal, place);
      if (place !== null) mark.acknowledge({ checkpoints, at: place.at, sum: place.sum });
      if (size < checkpointAt) return;
      checkpoint();
      checkpointAt = checkpointBytes;
    } catch {
      // Such as a full disk.
      checkpointAt = size + checkpointBytes;
    }
  };
  const checkpoint = (): void => {
    const before = loadPageSums(parts.sums);
    if (before === null) throw new Error(`${parts.sums} is gone`);
    const after = sumsAfterCheckpoint(before, readIfThere(parts.wal) ?? Buffer.alloc(0));
    savePageSums(parts.sums, after);
    ({ checkpoints } = after);
    crashPoint("store:sums-saved");
    plain.get("PRAGMA wal_checkpoint(TRUNCATE)");
    crashPoint("store:checkpointed");
  };

  return {
    ...plain,
    run: (sql, parameters) => transaction(() => plain.run(sql, parameters)),
    transaction,
    close: () => {
      mark[Symbol.dispose]();
      try {
        // One file again, for whoever copies it while we are down.
        checkpoint();
      } catch {
        plain.close();
        return; // the log's second name has what the sums lack
      }
      plain.close();
      crashPoint("store:closed");
      rmSync(parts.keptWal, { force: true });
    },
  };
}

/** Reads on from the place to the log's last commit. */
function follow(wal: string, known: WalPlace | null): WalPlace | null {
  const handle = openSync(wal, "r");
  try {
    const begin = beginOfWal(readAt(handle, 0, walHeaderBytes));
    if (begin === null) return null;
    let place = known?.header.equals(begin.header) === true ? known : begin;
    const { size } = statSync(wal);
    for (const commit of commitsAfter(place, readAt(handle, place.at, size - place.at))) {
      const { header, isBigEndian, pageBytes, at, sum } = commit;
      place = { header, isBigEndian, pageBytes, at, sum };
    }
    return place;
  } finally {
    closeSync(handle);
  }
}

function readAt(handle: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, length));
  let filled = 0;
  while (filled < bytes.length) {
    const read = readSync(handle, bytes, filled, bytes.length - filled, from + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}
