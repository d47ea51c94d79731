import { createHash } from "node:crypto";
import * as z from "zod";
import { namesIn, readSmallFile } from "../adapters/local-system.ts";
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
  /** Of a file that the server's configuration drew in: it is watched from then on. */
  origin: z.enum(["include", "include-dir"]).nullable().default(null),
});
export type WatchRecord = z.infer<typeof WatchRecord>;

export type WatchRecords = {
  /** Files that were drawn in, as this host itself found them. */
  included(): Promise<
    readonly { readonly path: string; readonly origin: "include" | "include-dir" }[]
  >;
  load(path: string): Promise<WatchRecord>;
  save(record: WatchRecord): Promise<void>;
};

export function createWatchRecords(directory: string): WatchRecords {
  const fileOf = (path: string): string =>
    `${directory}/${createHash("sha256").update(path).digest("hex").slice(0, 24)}.json`;
  const read = async (file: string): Promise<WatchRecord | null> => {
    const text = await readSmallFile(file);
    if (text === null) return null;
    try {
      return WatchRecord.parse(JSON.parse(text));
    } catch {
      // Torn by a crash or of another version: it only makes the next diff poorer.
      return null;
    }
  };
  return {
    included: async () => {
      const names = (await namesIn(directory, 10_000)) ?? [];
      const records = await Promise.all(
        names.filter((name) => name.endsWith(".json")).map((name) => read(`${directory}/${name}`)),
      );
      return records.flatMap((record) =>
        record === null || record.origin === null
          ? []
          : [{ path: record.path, origin: record.origin }],
      );
    },
    load: async (path) => {
      const nothing: WatchRecord = {
        path,
        acceptedHash: null,
        acceptedText: null,
        expected: [],
        isRaised: false,
        origin: null,
      };
      const record = await read(fileOf(path));
      return record?.path === path ? record : nothing;
    },
    save: (record) => writePrivateFile(fileOf(record.path), asciiJson(record)),
  };
}
