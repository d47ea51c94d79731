import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { journalSuffixes } from "./journal-file.ts";
import { syncDirectory } from "./replace-file.ts";

/** Its presence is the decision: what is in it belongs in the state directory. */
export const readyFolder = ".restore-ready";

const RestoreManifest = z.strictObject({ replaced: z.string().regex(/^replaced-[0-9TZ]+$/) });
export type RestoreManifest = z.infer<typeof RestoreManifest>;

/**
 * Moves what was decided into place, and what it replaces into a dated folder beside it. Goes on where a crash ended
 * it, however often. Answers whether there was anything to do. Only under the daemon's lock.
 */
export function finishRestore(stateDirectory: string): boolean {
  const ready = join(stateDirectory, readyFolder);
  if (!existsSync(ready)) return false;
  const text = readFileSync(join(ready, "manifest.json"), "utf8");
  const { replaced } = RestoreManifest.parse(JSON.parse(text));
  const old = join(stateDirectory, replaced);
  mkdirSync(old, { recursive: true, mode: 0o700 });
  syncDirectory(stateDirectory);
  const move = (name: string): void => {
    const place = join(stateDirectory, name);
    const fresh = join(ready, name);
    const comes = existsSync(fresh);
    // What has come already is not moved out again.
    if (existsSync(place) && (comes || isLogOfOld(name, ready))) renameSync(place, join(old, name));
    crashPoint("restore:moved-out");
    if (comes) renameSync(fresh, place);
    crashPoint("restore:moved-in");
  };
  // The log before its database, the new database last of all.
  for (const name of ["certificate.pem", "key.pem", "settings.yaml", "clusters"]) move(name);
  for (const suffix of journalSuffixes) move(`journal.db${suffix}`);
  for (const folder of [old, stateDirectory]) syncDirectory(folder);
  rmSync(ready, { recursive: true });
  syncDirectory(stateDirectory);
  return true;
}

/** The new journal comes without a log: whatever log is there while it waits is the old one's. */
function isLogOfOld(name: string, ready: string): boolean {
  return /-(?:wal|shm)$/.test(name) && existsSync(join(ready, "journal.db"));
}
