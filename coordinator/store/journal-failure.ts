import { Failure } from "#shared/errors.ts";

export const restoreHint =
  "put the last backup back (castellan store restore FILE), or move the state directory aside and run castellan init (agents join again; unfinished operations are lost); nothing was changed";

export function corrupt(file: string, evidence: readonly string[], cause?: unknown): Failure {
  return new Failure("STORE_UNUSABLE", `The journal ${file} is corrupt.`, {
    hint: restoreHint,
    evidence,
    cause,
  });
}

/** What SQLite says, as a failure that names the file and what to do. */
export function journalFailure(file: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const message = error instanceof Error ? error.message : String(error);
  if (/CORRUPT|NOTADB/.test(code) || /malformed|not a database/.test(message)) {
    return corrupt(file, [message], error);
  }
  return new Failure("STORE_UNUSABLE", `The journal ${file} can't be used: ${message}.`, {
    hint: "check the disk (full? read-only?) and the owner of the state directory",
    cause: error,
  });
}

/** What SQLite says of a statement that is wrong, or of rows that contradict each other: a defect of ours. */
const ownDefects = /^SQLITE_(?:ERROR|CONSTRAINT|MISMATCH|MISUSE|RANGE|TOOBIG)/;

/** The file, its disk or another program on it denied something (full, read-only, locked, damaged). */
export function isJournalTrouble(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof Failure) return false;
  if (isBeyondUse(error)) return true;
  const code = "code" in error ? String(error.code) : "";
  return code.startsWith("SQLITE_") && !ownDefects.test(code);
}

/**
 * Damaged, or a disk that fails: after a failed fsync nobody knows what is on it. A full disk is none of these: it
 * passes.
 */
export function isBeyondUse(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof Failure) return false;
  const code = "code" in error ? String(error.code) : "";
  return /SQLITE_(?:CORRUPT|NOTADB|IOERR)/.test(code) || /malformed|not a database|disk I\/O error/.test(error.message); // prettier-ignore
}
