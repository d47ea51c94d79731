import { accessSync, chmodSync, constants, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { markOf, readCommitMark, writeCommitMark } from "./commit-mark.ts";
import { openConnection, openReadOnly, pragmaNumber, type Connection } from "./connection.ts";
import { countedConnection } from "./counted-connection.ts";
import { corrupt, journalFailure, restoreHint } from "./journal-failure.ts";
import { assertKnown, firstCountedSchema, migrate } from "./migrate.ts";
import { alteredOperations } from "./operation-sums.ts";
import { syncDirectory } from "./replace-file.ts";

/** Everything that belongs to a journal. What is removed or moved away goes in this order: no log without its database. */
export const journalSuffixes = ["-wal", "-shm", "-mark", ""] as const;

/**
 * Makes a new, empty journal of mode 0600; it appears whole or not at all. Its epochs count on from `firstEpoch`.
 * @throws Failure ALREADY_EXISTS
 */
export function createJournalFile(file: string, firstEpoch = 0): void {
  if (statOf(file) !== null) throw new Failure("ALREADY_EXISTS", `${file} is there already.`);
  const unfinished = `${file}.new`;
  for (const suffix of [...journalSuffixes, "-journal"]) {
    rmSync(`${unfinished}${suffix}`, { force: true });
  }
  openUnder(file, () => {
    const connection = openConnection(unfinished);
    try {
      chmodSync(unfinished, 0o600);
      useNoLog(connection);
      migrate(connection);
      connection.run("UPDATE coordinator SET epoch = ? WHERE id = 1", [firstEpoch]);
      markCommits(connection, unfinished);
    } finally {
      connection.close();
    }
    crashPoint("store:journal-made");
    for (const suffix of ["-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
    // The database last: without it there is no journal, whatever else a crash leaves.
    for (const suffix of ["-mark", ""]) renameSync(`${unfinished}${suffix}`, `${file}${suffix}`);
    syncDirectory(dirname(file));
  });
}

/** What a new or a restored journal holds counts as acknowledged. */
export function markCommits(connection: Connection, file: string): void {
  writeCommitMark(markOf(file), commitsOf(connection));
}

/**
 * Opens an existing journal after looking at it: writable, intact, complete, ours, not newer than this program.
 * Nothing is guessed and nothing repaired.
 * @throws Failure STORE_UNUSABLE or VERSION_MISMATCH.
 */
export function openJournalFile(file: string): Connection {
  return openUnder(file, () => {
    assertWritable(file);
    const { schema } = assertWhole(file);
    const connection = openConnection(file);
    try {
      setDurable(connection);
      if (schema < firstCountedSchema) writeCommitMark(markOf(file), 0);
      migrate(connection);
      return countedConnection(connection, file);
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

/**
 * By a connection that can't write: what is refused stays as it is (the close of a writing one empties the log into the
 * database). SQLite takes a log that was cut, or is gone, for one that ended there; the mark knows better.
 */
function assertWhole(file: string): { readonly schema: number } {
  // Before the count: whoever commits meanwhile marks it afterwards.
  const mark = readMark(file);
  const connection = openReadOnly(file);
  try {
    const schema = pragmaNumber(connection, "user_version");
    assertKnown(file, schema, pragmaNumber(connection, "application_id"));
    assertIntact(connection, file);
    if (schema < firstCountedSchema) return { schema };
    const altered = alteredOperations(connection);
    if (altered.length > 0) throw corrupt(file, altered);
    assertComplete(file, mark, commitsOf(connection));
    return { schema };
  } finally {
    connection.close();
  }
}

function assertComplete(file: string, mark: number | null, commits: number): void {
  if (mark === null) {
    throw new Failure(
      "STORE_UNUSABLE",
      `The journal ${file} lacks ${markOf(file)}, which says whether it is whole.`,
      {
        hint: "put the whole state directory back; or, if this file is all there is, move it elsewhere and take it for a backup: castellan store restore FILE",
      },
    );
  }
  if (mark <= commits) return;
  throw corrupt(file, [
    `${mark} commits were acknowledged, the journal holds ${commits}: its log ${file}-wal is missing, cut, damaged or another one, or the journal is an older copy`,
  ]);
}

function readMark(file: string): number | null {
  try {
    return readCommitMark(markOf(file));
  } catch (error) {
    throw corrupt(file, [error instanceof Error ? error.message : String(error)], error);
  }
}

function commitsOf(connection: Connection): number {
  const row = connection.get("SELECT commits FROM coordinator WHERE id = 1");
  return z.object({ commits: z.int().nonnegative() }).parse(row).commits;
}

/**
 * For a journal that is to be renamed, which takes only the one file along. (libsql closes a connection when its
 * statements are collected, and SQLite shares the index of a log among all of a process that have the same inode open.)
 */
export function useNoLog(connection: Connection): void {
  connection.get("PRAGMA journal_mode = DELETE");
  connection.exec("PRAGMA synchronous = FULL");
}

/** A commit is on disk when it returns: WAL with an fsync per commit. */
function setDurable(connection: Connection): void {
  connection.get("PRAGMA journal_mode = WAL");
  connection.exec("PRAGMA synchronous = FULL");
  connection.exec("PRAGMA foreign_keys = ON");
  connection.exec("PRAGMA busy_timeout = 5000");
}

function assertWritable(file: string): void {
  const stat = statOf(file);
  if (stat === null) {
    throw new Failure("STORE_UNUSABLE", `There is no journal ${file}.`, {
      hint: "castellan init makes a new one; or name the right state directory",
    });
  }
  const readOnly = (because: string): Failure =>
    new Failure("STORE_UNUSABLE", `The journal ${file} is read-only (${because}).`, {
      hint: `make it writable for the coordinator's user (chmod 0600 ${file}, or remount); nothing was changed`,
    });
  // Root may write to a file of mode 0400; whoever set that mode did not want it written.
  if ((stat.mode & 0o200) === 0) throw readOnly(`mode ${(stat.mode & 0o777).toString(8)}`);
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no access";
    throw readOnly(code);
  }
  if (stat.size === 0) {
    throw new Failure(
      "STORE_UNUSABLE",
      `The journal ${file} is empty (0 bytes): it was truncated.`,
      {
        hint: restoreHint,
      },
    );
  }
}

export function assertIntact(connection: Connection, file: string): void {
  const rows = connection.all("PRAGMA quick_check(5)");
  const lines = rows.map((row) => z.object({ quick_check: z.string() }).parse(row).quick_check);
  if (lines.length === 1 && lines[0] === "ok") return;
  throw corrupt(file, lines);
}

function openUnder<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw journalFailure(file, error);
  }
}

function statOf(file: string): { readonly mode: number; readonly size: number } | null {
  return statSync(file, { throwIfNoEntry: false }) ?? null;
}
