import * as z from "zod";
import { openJournalFile } from "./journal-file.ts";
import { operationRecords } from "./operation-records.ts";
import type { Store } from "./store.ts";
import { trustRecords } from "./trust-records.ts";
import { watchRecords } from "./watch-records.ts";

export type StoreOptions = {
  readonly file: string;
  readonly keptEvents: number;
  readonly now: number;
};

/**
 * Opens the journal for a daemon. Its epoch is higher than any before: counted up, and by the clock, so that two that
 * were started on copies of one journal never share one: the later start fences the earlier.
 * @throws Failure STORE_UNUSABLE or VERSION_MISMATCH; the file is then as it was.
 */
export function openStore({ file, keptEvents, now }: StoreOptions): Store {
  const db = openJournalFile(file);
  const row = db.get("SELECT epoch FROM coordinator WHERE id = 1");
  const { epoch: epochBefore } = z.object({ epoch: z.int().nonnegative() }).parse(row);
  const epoch = Math.max(now, epochBefore + 1);
  db.run("UPDATE coordinator SET epoch = ? WHERE id = 1", [epoch]);
  return {
    epoch,
    epochBefore,
    ...trustRecords(db),
    ...operationRecords(db),
    ...watchRecords(db, keptEvents),
    [Symbol.dispose]: () => {
      db.close();
    },
  };
}
