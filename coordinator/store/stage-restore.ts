import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs"; // prettier-ignore
import { dirname, join } from "node:path";
import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { alertRecords } from "./alert-records.ts";
import { decodeBackup, isBackup, type BackupEntry } from "./backup-file.ts";
import { openConnection, pragmaNumber } from "./connection.ts";
import { holdOperations, restoredCause } from "./hold-operations.ts";
import { journalFailure } from "./journal-failure.ts";
import { assertIntact, markCommits, useNoLog } from "./journal-file.ts";
import { assertKnown, migrate } from "./migrate.ts";
import { syncDirectory, writeSynced } from "./replace-file.ts";
import { readyFolder, type RestoreManifest } from "./finish-restore.ts";

export type RestoreReport = {
  /** When the backup was made; null for a journal without one. */
  readonly madeAt: number | null;
  readonly files: readonly string[];
  /** Operations that were under way in it: they wait for a person. */
  readonly held: readonly string[];
  readonly agents: readonly string[];
  readonly epoch: number;
  /** Where what was replaced is now. */
  readonly replaced: string;
};

/**
 * Looks at the backup (or a bare journal.db, with its -wal beside it) and prepares all that will be put in its place,
 * in a folder that becomes valid by one rename: before it nothing has happened, after it the restore will be finished
 * by whoever comes next. Nothing of the present state is touched here.
 */
export function stageRestore(stateDirectory: string, file: string, now: number): RestoreReport {
  const source = readSource(file);
  const staging = join(stateDirectory, ".restore-staging");
  rmSync(staging, { recursive: true, force: true });
  try {
    const report = prepare(stateDirectory, staging, file, source, now);
    crashPoint("restore:staged");
    renameSync(staging, join(stateDirectory, readyFolder));
    syncDirectory(stateDirectory);
    crashPoint("restore:decided");
    return report;
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
}

type Source = { readonly madeAt: number | null; readonly entries: readonly BackupEntry[] };

function prepare(
  stateDirectory: string,
  staging: string,
  file: string,
  { madeAt, entries }: Source,
  now: number,
): RestoreReport {
  mkdirSync(staging, { mode: 0o700 });
  for (const { name, bytes } of entries) {
    mkdirSync(dirname(join(staging, name)), { recursive: true, mode: 0o700 });
    writeSynced(join(staging, name), bytes, name === "certificate.pem" ? 0o644 : 0o600);
  }
  const journal = join(staging, "journal.db");
  if (madeAt === null) copyBareJournal(stateDirectory, file, journal);
  const { held, agents, epoch } = prepareJournal(journal, file, madeAt, now);
  const stamp = new Date(now).toISOString().replaceAll(/[-:.]/g, "");
  const manifest: RestoreManifest = { replaced: `replaced-${stamp}` };
  writeSynced(join(staging, "manifest.json"), Buffer.from(JSON.stringify(manifest)), 0o600);
  for (const folder of [join(staging, "clusters"), staging]) {
    if (existsSync(folder)) syncDirectory(folder);
  }
  return {
    madeAt,
    files: madeAt === null ? ["journal.db"] : entries.map(({ name }) => name),
    held,
    agents,
    epoch,
    replaced: join(stateDirectory, manifest.replaced),
  };
}

/** @throws Failure STORE_UNUSABLE or VERSION_MISMATCH */
export function readSource(file: string): Source {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new Failure("STORE_UNUSABLE", `The backup ${file} can't be read.`, {
      cause,
      evidence: [cause instanceof Error ? cause.message : String(cause)],
      hint: "name a backup that you may read; nothing was changed",
    });
  }
  const isJournal = bytes.subarray(0, 15).toString("latin1") === "SQLite format 3";
  if (isJournal && !isBackup(bytes)) return { madeAt: null, entries: [] };
  return decodeBackup(file, bytes);
}

function copyBareJournal(stateDirectory: string, from: string, to: string): void {
  if (!existsSync(join(stateDirectory, "certificate.pem"))) {
    throw new Failure(
      "STORE_UNUSABLE",
      `${from} is a journal alone, and ${stateDirectory} has no certificate.`,
      {
        hint: "restore a backup, which holds it; or castellan init first: every agent joins again",
      },
    );
  }
  for (const suffix of ["", "-wal"]) {
    if (!existsSync(from + suffix)) continue;
    copyFileSync(from + suffix, to + suffix);
    // A copy takes the mode along: whoever saved it may have let others read it, or nobody write it.
    chmodSync(to + suffix, 0o600);
  }
}

/** Intact and ours? Then its unfinished operations are held, its epoch becomes the newest, and it is sealed. */
function prepareJournal(
  journal: string,
  file: string,
  madeAt: number | null,
  now: number,
): Pick<RestoreReport, "held" | "agents" | "epoch"> {
  try {
    const db = openConnection(journal);
    assertIntact(db, file);
    assertKnown(file, pragmaNumber(db, "user_version"), pragmaNumber(db, "application_id"));
    useNoLog(db);
    migrate(db);
    const of = madeAt === null ? "a copy" : `a backup of ${new Date(madeAt).toISOString()}`;
    const held = holdOperations(db, {
      now,
      message: `The journal was restored from ${of}: what this operation did since is not in it.`,
    });
    if (held.length > 0) {
      alertRecords(db).raiseAlert(
        {
          cause: restoredCause,
          severity: "critical",
          node: null,
          summary: `the journal was restored from ${of}; held until somebody decides: ${held.join(", ")}`,
          detail:
            "castellan operation show ID says of each what it did before, and what can be typed",
        },
        now,
      );
    }
    // Whoever commanded since is outranked; the daemon's start counts on from here.
    db.run("UPDATE coordinator SET epoch = max(epoch + 1, ?) WHERE id = 1", [now]);
    const agents = db
      .all("SELECT node FROM agent ORDER BY node")
      .map((row) => z.object({ node: z.string() }).parse(row).node);
    const { epoch } = z.object({ epoch: z.number() }).parse(db.get("SELECT epoch FROM coordinator")); // prettier-ignore
    markCommits(db, journal);
    db.close();
    return { held, agents, epoch };
  } catch (error) {
    throw journalFailure(file, error);
  }
}
