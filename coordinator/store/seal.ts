import { existsSync, linkSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Failure } from "#shared/errors.ts";
import { loadCommitMark, saveCommitMark } from "./commit-mark.ts";
import { corrupt } from "./journal-failure.ts";
import {
  damagedPages,
  loadPageSums,
  readIfThere,
  savePageSums,
  sumPages,
  sumsAfterCheckpoint,
} from "./page-sums.ts";
import { syncDirectory } from "./replace-file.ts";
import { readWal } from "./wal-file.ts";

/** The files beside a journal that say whether it is whole, and its log. */
export const partsOf = (file: string) => ({
  sums: `${file}-sums`,
  mark: `${file}-mark`,
  wal: `${file}-wal`,
  /** A second name of the log: see keepLog. */
  keptWal: `${file}-log`,
});

/** Everything that belongs to a journal; what is removed or moved away goes in this order: no log without its database. */
export const journalSuffixes = ["-log", "-wal", "-shm", "-mark", "-sums", ""] as const;

/** The page layout's own fields, https://www.sqlite.org/fileformat2.html, from the log where that has the first page. */
export type HeaderFields = { readonly schema: number; readonly applicationId: number };

/**
 * Looks at the files before SQLite does. Every page must be what was written (SQLite's own checks see a page's
 * structure, not its content), and the log must reach to what was acknowledged.
 * @throws Failure STORE_UNUSABLE, with nothing changed.
 */
export function assertSeal(file: string): HeaderFields & { readonly isSealed: boolean } {
  const { sums: sumsFile, mark: markFile, wal: walFile } = partsOf(file);
  const load = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw corrupt(file, [error instanceof Error ? error.message : String(error)], error);
    }
  };
  const sums = load(() => loadPageSums(sumsFile));
  const mark = load(() => loadCommitMark(markFile));
  const database = readFileSync(file);
  const wal = readIfThere(walFile) ?? Buffer.alloc(0);
  const header = headerOf(database, wal);
  if (sums === null && mark === null) return { ...header, isSealed: false };
  if (sums === null || mark === null) throw unsealed(file, [sums === null ? sumsFile : markFile]);
  const damaged = damagedPages(sums, database, wal);
  if (damaged.length > 0) throw corrupt(file, damaged);
  if (mark.checkpoints > sums.checkpoints) {
    throw corrupt(file, [`${sumsFile} is older than ${markFile}`]);
  }
  if (mark.checkpoints === sums.checkpoints && mark.at > 0) {
    const place = readWal(wal).places.find(({ at }) => at === mark.at);
    if (place?.sum[0] !== mark.sum[0] || place.sum[1] !== mark.sum[1]) {
      throw corrupt(file, [
        `records were acknowledged up to byte ${mark.at} of ${walFile}, which does not hold them: it is ${wal.length === 0 ? "missing or empty" : "cut, damaged or another one"}`,
      ]);
    }
  }
  return { ...header, isSealed: true };
}

export function unsealed(file: string, missing: readonly string[]): Failure {
  return new Failure(
    "STORE_UNUSABLE",
    `The journal ${file} lacks ${missing.join(" and ")}, which say whether it is whole.`,
    {
      hint: "put the whole state directory back; or, if this file is all there is, move it elsewhere and take it for a backup: castellan store restore FILE",
    },
  );
}

/** For a closed journal that was found in order; its log must be empty. */
export function makeSeal(file: string): void {
  const sums = sumPages(readFileSync(file));
  savePageSums(partsOf(file).sums, sums);
  saveCommitMark(partsOf(file).mark, { checkpoints: sums.checkpoints, at: 0, sum: [0, 0] });
}

/**
 * SQLite empties the log into the database whenever its last connection is closed, also by a process that just ends
 * and by a person's look with sqlite3: without the page sums. A second name keeps the log for the next start, and the
 * pages in it outvote the sums. Called when the journal was found in order, before SQLite opens it.
 */
export function linkLog(file: string): void {
  const { wal, keptWal } = partsOf(file);
  if (!existsSync(wal)) return;
  rmSync(keptWal, { force: true });
  linkSync(wal, keptWal);
  syncDirectory(dirname(file));
}

/** The same once our first commit is in the log, which may be another one than was linked. */
export function keepLog(file: string): void {
  const { wal, keptWal } = partsOf(file);
  const kept = statSync(keptWal, { throwIfNoEntry: false });
  if (statSync(wal).ino === kept?.ino) return;
  // Another process's close came right before us: what that log had is in the database now.
  if (kept !== undefined) addLogToSums(file);
  linkLog(file);
}

/**
 * Before anything reads the journal: a log that only has its second name left gets its first one back. Answers
 * whether anything had to be put right.
 */
export function findKeptLog(file: string): boolean {
  const { wal, keptWal, sums: sumsFile } = partsOf(file);
  const kept = readIfThere(keptWal);
  const log = readIfThere(wal);
  if (kept === null || log?.equals(kept) === true) return false;
  if (log === null) {
    renameSync(keptWal, wal);
    return true;
  }
  // Two different logs: another process emptied the one into the database and began the other.
  const sums = loadPageSums(sumsFile);
  if (sums === null || log.length > 0) return false;
  if (damagedPages(sumsAfterCheckpoint(sums, kept), readFileSync(file), log).length > 0)
    return false;
  addLogToSums(file);
  rmSync(keptWal);
  return true;
}

function addLogToSums(file: string): void {
  const { keptWal, sums: sumsFile } = partsOf(file);
  const sums = loadPageSums(sumsFile);
  if (sums !== null) savePageSums(sumsFile, sumsAfterCheckpoint(sums, readFileSync(keptWal)));
}

function headerOf(database: Buffer, wal: Buffer): HeaderFields {
  const inWal = readWal(wal).offsets.get(1);
  const [bytes, at] = inWal === undefined ? [database, 0] : [wal, inWal];
  if (bytes.length < at + 72) return { schema: 0, applicationId: 0 };
  return { schema: bytes.readUInt32BE(at + 60), applicationId: bytes.readUInt32BE(at + 68) };
}
