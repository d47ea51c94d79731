import { accessSync, chmodSync, constants, renameSync, rmSync, statSync } from "node:fs";
import * as z from "zod";
import { Failure } from "#shared/errors.ts";
import { openConnection, type Connection } from "./connection.ts";
import { migrate } from "./migrate.ts";

/**
 * Makes a new, empty journal of mode 0600; it appears whole or not at all. Its epochs count on from `firstEpoch`.
 * @throws Failure ALREADY_EXISTS
 */
export function createJournalFile(file: string, firstEpoch = 0): void {
  if (statOf(file) !== null) throw new Failure("ALREADY_EXISTS", `${file} is there already.`);
  const unfinished = `${file}.new`;
  for (const suffix of ["", "-wal", "-shm", "-journal"]) {
    rmSync(`${unfinished}${suffix}`, { force: true });
  }
  openUnder(file, () => {
    const connection = openConnection(unfinished);
    try {
      chmodSync(unfinished, 0o600);
      // Not yet in WAL mode: a rename takes only the one file along.
      migrate(connection, file);
      connection.run("UPDATE coordinator SET epoch = ? WHERE id = 1", [firstEpoch]);
    } finally {
      connection.close();
    }
  });
  renameSync(unfinished, file);
}

/**
 * Opens an existing journal after looking at it: writable, intact, ours, not newer than this program.
 * Nothing is guessed and nothing repaired.
 * @throws Failure STORE_UNUSABLE or VERSION_MISMATCH.
 */
export function openJournalFile(file: string): Connection {
  assertWritable(file);
  const connection = openUnder(file, () => openConnection(file));
  try {
    openUnder(file, () => {
      assertIntact(connection, file);
      migrate(connection, file);
      setDurable(connection);
    });
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
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

function assertIntact(connection: Connection, file: string): void {
  const rows = connection.all("PRAGMA quick_check(5)");
  const lines = rows.map((row) => z.object({ quick_check: z.string() }).parse(row).quick_check);
  if (lines.length === 1 && lines[0] === "ok") return;
  throw corrupt(file, lines);
}

function corrupt(file: string, evidence: readonly string[], cause?: unknown): Failure {
  return new Failure("STORE_UNUSABLE", `The journal ${file} is corrupt.`, {
    hint: restoreHint,
    evidence,
    cause,
  });
}

const restoreHint =
  "restore it from a backup, or move it aside and run castellan init (agents join again; unfinished operations are lost); the file was not changed";

/** What SQLite says, as a failure that names the file and what to do. */
function openUnder<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const message = error instanceof Error ? error.message : String(error);
    if (/CORRUPT|NOTADB/.test(code) || /malformed|not a database/.test(message)) {
      throw corrupt(file, [message], error);
    }
    throw new Failure("STORE_UNUSABLE", `The journal ${file} can't be used: ${message}.`, {
      hint: "check the disk (full? read-only?) and the owner of the state directory",
      cause: error,
    });
  }
}

function statOf(file: string): { readonly mode: number; readonly size: number } | null {
  return statSync(file, { throwIfNoEntry: false }) ?? null;
}
