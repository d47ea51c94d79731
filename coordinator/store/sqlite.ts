import * as z from "zod";
import type { Failure } from "#shared/errors.ts";
import { alertRecords } from "./alert-records.ts";
import { decisionRecords } from "./decision-records.ts";
import type { Connection } from "./connection.ts";
import { isBeyondUse, isJournalTrouble, journalFailure } from "./journal-failure.ts";
import { checkJournal } from "./check-journal.ts";
import { eventRecords } from "./event-records.ts";
import { defaultKeptFileVersions, fileRecords, type KeptFileVersions } from "./file-records.ts";
import { holdOperations } from "./hold-operations.ts";
import { openJournalFile } from "./journal-file.ts";
import { snapshotJournal } from "./make-backup.ts";
import { operationRecords } from "./operation-records.ts";
import { sinkRecords } from "./sink-records.ts";
import type { Store } from "./store.ts";
import { trustRecords } from "./trust-records.ts";

export type StoreOptions = {
  readonly file: string;
  readonly keptEvents: number;
  readonly keptFiles?: KeptFileVersions;
  readonly now: number;
  /** The disk or the file is not to be trusted any more; the call that met it throws as well. */
  readonly onUnusable?: (failure: Failure) => void;
};

/**
 * Opens the journal for a daemon. Its epoch is higher than any before: counted up, and by the clock, so that two that
 * were started on copies of one journal never share one: the later start fences the earlier.
 * @throws Failure STORE_UNUSABLE or VERSION_MISMATCH; the file is then as it was.
 */
export function openStore({ file, keptEvents, keptFiles, now, onUnusable }: StoreOptions): Store {
  const db = watched(openJournalFile(file), file, onUnusable ?? (() => undefined));
  const row = db.get("SELECT epoch FROM coordinator WHERE id = 1");
  const { epoch: epochBefore } = z.object({ epoch: z.int().nonnegative() }).parse(row);
  const epoch = Math.max(now, epochBefore + 1);
  db.run("UPDATE coordinator SET epoch = ? WHERE id = 1", [epoch]);
  return {
    epoch,
    epochBefore,
    ...trustRecords(db),
    ...operationRecords(db),
    ...fileRecords(db, keptFiles ?? defaultKeptFileVersions),
    ...eventRecords(db, keptEvents),
    ...alertRecords(db),
    ...sinkRecords(db),
    ...decisionRecords(db),
    holdOperations: (cause) => holdOperations(db, cause),
    check: () => checkJournal(db, file),
    snapshot: (copy) => snapshotJournal(db, copy),
    [Symbol.dispose]: () => {
      db.close();
    },
  };
}

/**
 * What the journal's file and disk deny names the journal. Of damage or a failing disk whoever can end the daemon is
 * told as well.
 */
function watched(db: Connection, file: string, onUnusable: (failure: Failure) => void): Connection {
  const watch = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!isJournalTrouble(error)) throw error;
      const failure = journalFailure(file, error);
      if (isBeyondUse(error)) onUnusable(failure);
      throw failure;
    }
  };
  return {
    exec: (sql) => watch(() => db.exec(sql)),
    run: (sql, parameters) => watch(() => db.run(sql, parameters)),
    get: (sql, parameters) => watch(() => db.get(sql, parameters)),
    all: (sql, parameters) => watch(() => db.all(sql, parameters)),
    transaction: (work) => watch(() => db.transaction(work)),
    close: () => db.close(),
  };
}
