import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import type { Ledger, LedgerEntry } from "../ports.ts";
import { openRecordFolder } from "./record-folder.ts";

const Entry: z.ZodType<LedgerEntry> = z.strictObject({
  operationId: z.string(),
  at: z.number(),
  facts: z.record(z.string(), z.unknown()),
});

/** What we made on this host, below `<stateDirectory>/ledger`: on disk before the effect. */
export async function createLedger(folder: string): Promise<Ledger> {
  const records = await openRecordFolder(folder, Entry);
  return {
    get: async (key) => records.get(key),
    put: (key, entry) => records.put(key, entry),
    delete: async (key) => {
      // Taken back, still noted: the instant that makes an undo run twice.
      crashPoint("ledger:forgetting", key);
      await records.delete(key);
    },
    list: async (prefix) =>
      records
        .entries()
        .filter(({ key }) => key.startsWith(prefix))
        .map(({ key, record }) => ({ key, entry: record })),
  };
}
