import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "#shared/errors.ts";
import { loadSettings } from "./settings.ts";
import { checkJournal, type JournalReport } from "./store/check-journal.ts";
import { withJournalCopy } from "./store/copy-journal.ts";
import { takeDaemonLock } from "./store/daemon-lock.ts";
import { finishRestore, readyFolder } from "./store/finish-restore.ts";
import { makeBackup, snapshotJournal } from "./store/make-backup.ts";
import { readSource, stageRestore, type RestoreReport } from "./store/stage-restore.ts";

export type OfflineStore = {
  check(): JournalReport;
  backup(now: number): Buffer;
  /** @throws Failure OPERATION_CONFLICT while a coordinator runs; STORE_UNUSABLE for a bad backup, nothing changed. */
  restore(file: string, now: number): RestoreReport & { readonly notes: readonly string[] };
};

/** The store's commands where no coordinator runs: under its lock, so that none is started meanwhile. */
export function offlineStore(
  stateDirectory: string,
  self: { readonly pid: number; readonly uid: number },
): OfflineStore {
  const locked = <T>(work: () => T): T => {
    assertOwner(stateDirectory, self.uid);
    using _lock = takeDaemonLock(stateDirectory, self.pid);
    finishRestore(stateDirectory);
    return work();
  };
  return {
    check: () =>
      locked(() => ({
        ...withJournalCopy(stateDirectory, checkJournal),
        file: join(stateDirectory, "journal.db"),
      })),
    backup: (now) =>
      locked(() =>
        withJournalCopy(stateDirectory, (db) =>
          makeBackup({
            ...loadSettings(stateDirectory),
            snapshot: (file) => snapshotJournal(db, file),
            now,
          }),
        ),
      ),
    restore: (file, now) => {
      // A directory is made only for what can be restored into it.
      readSource(file);
      mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
      return locked(() => {
        const report = stageRestore(stateDirectory, file, now);
        finishRestore(stateDirectory);
        return { ...report, notes: notesOn(stateDirectory) };
      });
    },
  };
}

/** A restore that was decided and not finished: before anything of the state is read. */
export function finishInterruptedRestore(stateDirectory: string, pid: number): void {
  if (!existsSync(join(stateDirectory, readyFolder))) return;
  using _lock = takeDaemonLock(stateDirectory, pid);
  finishRestore(stateDirectory);
}

/** What root would write here the coordinator could not read. */
function assertOwner(stateDirectory: string, uid: number): void {
  const stat = statSync(stateDirectory, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new Failure("STORE_UNUSABLE", `There is no state directory ${stateDirectory}.`, {
      hint: "name it with --state-dir; castellan store restore FILE makes it from a backup",
    });
  }
  if (stat.uid === uid) return;
  throw new Failure(
    "USAGE",
    `${stateDirectory} belongs to the user with id ${stat.uid}, and you are ${uid}.`,
    { hint: `run it as its owner: sudo -u '#${stat.uid}' castellan store …` },
  );
}

function notesOn(stateDirectory: string): readonly string[] {
  const { clustersDirectory } = loadSettings(stateDirectory);
  const own = join(stateDirectory, "clusters");
  if (clustersDirectory === own || !existsSync(own)) return [];
  return [
    `The declarations in force are those in ${clustersDirectory}; the backup's are in ${own}: compare them.`,
  ];
}
