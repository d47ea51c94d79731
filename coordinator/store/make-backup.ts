import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "#shared/errors.ts";
import { version } from "#shared/version.ts";
import { encodeBackup, type BackupEntry } from "./backup-file.ts";
import type { Connection } from "./connection.ts";

export type BackupPorts = {
  readonly stateDirectory: string;
  readonly clustersDirectory: string;
  /** Writes a consistent copy of the journal into a new file. */
  readonly snapshot: (file: string) => void;
  readonly now: number;
};

/**
 * Everything that makes a coordinator: journal, certificate and key (which the agents have pinned), settings,
 * declarations. Secret: with it anybody can be this coordinator.
 */
export function makeBackup({
  stateDirectory,
  clustersDirectory,
  snapshot,
  now,
}: BackupPorts): Buffer {
  const inState = (name: string): string => join(stateDirectory, name);
  // One name for all: what a killed one left is taken away by the next.
  const copy = inState(".snapshot.db");
  const entries: BackupEntry[] = [];
  try {
    rmSync(copy, { force: true });
    snapshot(copy);
    entries.push({ name: "journal.db", bytes: readFileSync(copy) });
  } finally {
    rmSync(copy, { force: true });
  }
  for (const name of ["certificate.pem", "key.pem", "settings.yaml"]) {
    if (existsSync(inState(name))) entries.push({ name, bytes: readFileSync(inState(name)) });
  }
  for (const name of declarationsIn(clustersDirectory)) {
    entries.push({ name: `clusters/${name}`, bytes: readFileSync(join(clustersDirectory, name)) });
  }
  return encodeBackup({ madeAt: now, madeBy: version, stateDirectory, entries });
}

/** The journal as it is at this instant, in one file; writers go on meanwhile. */
export function snapshotJournal(db: Connection, file: string): void {
  db.exec(`VACUUM INTO '${file.replaceAll("'", "''")}'`);
}

function declarationsIn(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  try {
    return readdirSync(directory).filter((name) => /^[A-Za-z][A-Za-z0-9_-]*\.yaml$/.test(name));
  } catch (cause) {
    throw new Failure("CONFIG_INVALID", `${directory} can't be read.`, {
      cause,
      evidence: [cause instanceof Error ? cause.message : String(cause)],
      hint: "let the coordinator's user read the folder of declarations, and repeat",
    });
  }
}
