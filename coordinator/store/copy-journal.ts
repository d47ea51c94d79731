import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "#shared/errors.ts";
import type { Connection } from "./connection.ts";
import { journalSuffixes, openJournalFile } from "./journal-file.ts";

/**
 * Opens a copy of a journal that nobody uses now, so that looking changes nothing; the copy is looked at as closely as
 * a daemon's start looks. @throws Failure STORE_UNUSABLE or VERSION_MISMATCH, about the original.
 */
export function withJournalCopy<T>(
  stateDirectory: string,
  work: (db: Connection, copy: string) => T,
): T {
  sweep(stateDirectory);
  const folder = mkdtempSync(join(stateDirectory, ".copy-"));
  const original = join(stateDirectory, "journal.db");
  const copy = join(folder, "journal.db");
  try {
    for (const suffix of journalSuffixes) {
      if (existsSync(original + suffix)) copyFileSync(original + suffix, copy + suffix);
    }
    const db = openJournalFile(copy);
    try {
      return work(db, copy);
    } finally {
      db.close();
    }
  } catch (error) {
    throw namingOriginal(error, folder, stateDirectory);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of one that was killed. */
function sweep(stateDirectory: string): void {
  for (const name of readdirSync(stateDirectory)) {
    if (name.startsWith(".copy-")) rmSync(join(stateDirectory, name), { recursive: true });
  }
}

function namingOriginal(error: unknown, folder: string, stateDirectory: string): unknown {
  if (!(error instanceof Failure)) return error;
  const renamed = (text: string): string => text.replaceAll(folder, stateDirectory);
  const { code, message, hint, evidence, cause } = error;
  return new Failure(code, renamed(message), {
    ...(hint === undefined ? {} : { hint: renamed(hint) }),
    evidence: evidence.map(renamed),
    cause,
  });
}
