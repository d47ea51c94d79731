import * as z from "zod";
import { GuardFinding } from "#shared/domain/facts.ts";
import { readSmallFile } from "../adapters/local-system.ts";
import { asciiJson, writePrivateFile } from "../adapters/private-file.ts";

/** What is open at the coordinator: without it, what ended while the agent was away would stay open for ever. */
const GuardRecord = z.object({
  findings: z.array(GuardFinding),
  /** Of the WAL budget, with an open alert. */
  openCauses: z.array(z.string()),
  /** A mode, and marks, were kept beside it: where they are gone, they were lost. */
  hasMode: z.boolean().optional(),
  hasMarks: z.boolean().optional(),
  /** What commits on the cluster's primary are to wait for: a standby may lack what was acknowledged meanwhile. */
  synchronous: z.strictObject({ node: z.string(), names: z.string() }).nullish(),
});
type GuardRecord = z.infer<typeof GuardRecord>;

export type GuardRecordFile = {
  load(): Promise<GuardRecord>;
  save(record: GuardRecord): Promise<void>;
};

export function guardRecordFile(stateDirectory: string): GuardRecordFile {
  const path = `${stateDirectory}/guard.json`;
  let saved = "";
  return {
    load: async () => {
      try {
        return GuardRecord.parse(JSON.parse((await readSmallFile(path)) ?? ""));
      } catch {
        // None yet, torn by a crash, or of another version: alerts are opened again as they are found.
        return { findings: [], openCauses: [] };
      }
    },
    save: async (record) => {
      // Evidence moves with every look; only what is open matters here.
      const key = JSON.stringify([
        record.findings.map((f) => [f.rule, f.since]),
        record.openCauses,
        record.hasMode,
        record.hasMarks,
        record.synchronous,
      ]);
      if (key === saved) return;
      await writePrivateFile(path, asciiJson(record));
      saved = key;
    },
  };
}
