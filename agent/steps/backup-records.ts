import { copyMarkerFor } from "#shared/domain/names.ts";
import * as z from "zod";
import type { CommandArgs } from "#shared/domain/commands.ts";
import type { StepContext } from "../ports.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";

/** What the ledger knows of a copy: how often it was begun, and how the last one ended. */
const BackupFacts = z.object({
  generation: z.int().positive(),
  copied: z.object({ bytes: z.number(), elapsedMs: z.number() }).nullable(),
});
export type BackupFacts = z.infer<typeof BackupFacts>;

type Place = Pick<CommandArgs<"base-backup">, "stagingDirectory">;

const keyOf = ({ stagingDirectory }: Place): string => ledgerKey.backup(stagingDirectory);

export function backupFacts(context: StepContext, place: Place): Promise<BackupFacts | null> {
  return ownFacts(context, keyOf(place), BackupFacts);
}

export function noteBackup(context: StepContext, place: Place, facts: BackupFacts): Promise<void> {
  return noteOwn(context, keyOf(place), facts);
}

/** Removes the marker beside the staging directory and what the ledger knows. */
export async function forgetBackup(context: StepContext, place: Place): Promise<void> {
  if ((await backupFacts(context, place)) === null) return;
  const marker = backupMarker(place.stagingDirectory);
  if ((await context.files.stat(marker)) !== null) await context.files.remove(marker);
  await context.ledger.delete(keyOf(place));
}

/** The job that copies for this operation: one at a time. */
export function backupJobName({ operationId }: Pick<StepContext, "operationId">): string {
  return `base-backup.${operationId}`;
}

/** Says whose the staging directory is while the copy runs. */
export function backupMarker(stagingDirectory: string): string {
  return copyMarkerFor(stagingDirectory);
}
