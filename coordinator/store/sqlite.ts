import * as z from "zod";
import { openJournalFile } from "./journal-file.ts";
import { operationRecords } from "./operation-records.ts";
import type { Store } from "./store.ts";
import { trustRecords } from "./trust-records.ts";
import { watchRecords } from "./watch-records.ts";

export type StoreOptions = { readonly file: string; readonly keptEvents: number };

/**
 * Opens the journal for a daemon: the epoch is counted up, so whoever opened it before is fenced.
 * @throws Failure STORE_UNUSABLE or VERSION_MISMATCH; the file is then as it was.
 */
export function openStore({ file, keptEvents }: StoreOptions): Store {
  const db = openJournalFile(file);
  const row = db.get("UPDATE coordinator SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch");
  const { epoch } = z.object({ epoch: z.int().positive() }).parse(row);
  return {
    epoch,
    ...trustRecords(db),
    ...operationRecords(db),
    ...watchRecords(db, keptEvents),
    [Symbol.dispose]: () => {
      // One file again, for whoever copies it while we are down.
      db.get("PRAGMA wal_checkpoint(TRUNCATE)");
      db.close();
    },
  };
}
