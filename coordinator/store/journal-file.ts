import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { openConnection, type Connection } from "./connection.ts";
import { corrupt, journalFailure, restoreHint } from "./journal-failure.ts";
import { assertKnown, firstSealedSchema, migrate } from "./migrate.ts";
import { syncDirectory } from "./replace-file.ts";
import {
  assertSeal,
  findKeptLog,
  journalSuffixes,
  linkLog,
  makeSeal,
  partsOf,
  unsealed,
} from "./seal.ts";
import { sealedConnection } from "./sealed-connection.ts";

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
      // The mode stands in the file itself.
      setDurable(connection);
      migrate(connection);
      connection.run("UPDATE coordinator SET epoch = ? WHERE id = 1", [firstEpoch]);
      // A rename takes only the one file along. (libsql closes when its statements are collected, not at once.)
      connection.get("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      connection.close();
    }
    // Empty; libsql takes them away when its statements are collected, which may be later.
    for (const suffix of ["-wal", "-shm"]) rmSync(`${unfinished}${suffix}`, { force: true });
    crashPoint("store:journal-made");
    placeJournal(unfinished, file);
  });
}

/** Puts a closed, intact journal into its place, sealed. There must be none yet. */
function placeJournal(from: string, file: string): void {
  syncFile(from);
  makeSeal(from);
  for (const suffix of ["-log", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
  // The database last: without it there is no journal, whatever else a crash leaves.
  for (const suffix of ["-sums", "-mark", ""]) renameSync(`${from}${suffix}`, `${file}${suffix}`);
  syncDirectory(dirname(file));
}

/**
 * Opens an existing journal after looking at it: writable, intact, complete, ours, not newer than this program.
 * Nothing is guessed and nothing repaired.
 * @throws Failure STORE_UNUSABLE or VERSION_MISMATCH.
 */
export function openJournalFile(file: string): Connection {
  return openUnder(file, () => {
    assertWritable(file);
    const { isSealed, schema, applicationId } = assertSealWithLog(file);
    assertKnown(file, schema, applicationId);
    if (!isSealed && schema >= firstSealedSchema) {
      throw unsealed(file, [partsOf(file).sums, partsOf(file).mark]);
    }
    linkLog(file);
    const connection = openConnection(file);
    try {
      connection.exec("PRAGMA wal_autocheckpoint = 0");
      assertIntact(connection, file);
      setDurable(connection);
      if (!isSealed) {
        connection.get("PRAGMA wal_checkpoint(TRUNCATE)");
        makeSeal(file);
      }
      const sealed = sealedConnection(connection, file);
      migrate(sealed);
      return sealed;
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

/** Another process's close (a person's look with sqlite3) may take the log's name away while we read. */
function assertSealWithLog(file: string): ReturnType<typeof assertSeal> {
  findKeptLog(file);
  try {
    return assertSeal(file);
  } catch (error) {
    if (!findKeptLog(file)) throw error;
    return assertSeal(file);
  }
}

/** A commit is on disk when it returns: WAL with an fsync per commit. */
export function setDurable(connection: Connection): void {
  connection.get("PRAGMA journal_mode = WAL");
  connection.exec("PRAGMA synchronous = FULL");
  connection.exec("PRAGMA foreign_keys = ON");
  connection.exec("PRAGMA busy_timeout = 5000");
}

function syncFile(file: string): void {
  const handle = openSync(file, "r+");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
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
