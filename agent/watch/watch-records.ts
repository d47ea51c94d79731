import { createHash } from "node:crypto";
import * as z from "zod";
import { readSmallFile } from "../adapters/local-system.ts";
import { asciiJson, writePrivateFile } from "../adapters/private-file.ts";

/** What the watch must still know after a restart, per file. Masked texts only: no secret is kept here. */
const WatchRecord = z.strictObject({
  path: z.string(),
  /** Text that `acceptedHash` stands for, to show the next change against; null: never seen, or never shown. */
  acceptedHash: z.string().nullable(),
  acceptedText: z.string().nullable(),
  /** Contents that our own commands wrote. */
  expected: z.array(z.string().nullable()),
  /** Is an alert open at the coordinator? */
  isRaised: z.boolean(),
});
export type WatchRecord = z.infer<typeof WatchRecord>;

export type WatchRecords = {
  load(path: string): Promise<WatchRecord>;
  save(record: WatchRecord): Promise<void>;
};

export function createWatchRecords(directory: string): WatchRecords {
  const fileOf = (path: string): string =>
    `${directory}/${createHash("sha256").update(path).digest("hex").slice(0, 24)}.json`;
  return {
    load: async (path) => {
      const nothing: WatchRecord = {
        path,
        acceptedHash: null,
        acceptedText: null,
        expected: [],
        isRaised: false,
      };
      const text = await readSmallFile(fileOf(path));
      if (text === null) return nothing;
      try {
        const record = WatchRecord.parse(JSON.parse(text));
        return record.path === path ? record : nothing;
      } catch {
        // Torn by a crash or of another version: it only makes the next diff poorer.
        return nothing;
      }
    },
    save: (record) => writePrivateFile(fileOf(record.path), asciiJson(record)),
  };
}
