import { copyFile, lstat, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { incompleteMarker, promoteTrigger } from "#shared/domain/names.ts";
import { orNull } from "../../adapters/file-failure.ts";
import { serverLogName } from "../../steps/server-start.ts";
import type { GuardStepContext } from "../steps/step.ts";

/** Keys, certificates, a licence: a log is more. */
const mostBytes = 1024 * 1024;

/** What a server makes itself, and a rewind brings along. */
const servers =
  /^(?:PG_VERSION|SYS_VERSION|(?:backup_label|tablespace_map)(?:\.old)?|postmaster\..*|.*\.pid|current_logfiles|(?:standby|recovery)\.(?:signal|conf|done)|.*\.auto\.conf(?:\.tmp)?)$/;
const ours: ReadonlySet<string> = new Set([incompleteMarker, promoteTrigger, serverLogName]);

/**
 * What else of this node lies in its data directory, as the key that its server shows to clients: a rewind removes it, or
 * puts the other node's in its place. Secrets are among it, so it is kept as files beside the ledger and not in it.
 */
export async function keepOwnFiles(context: GuardStepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  const folder = folderOf(context);
  await forgetOwnFiles(context);
  await mkdir(folder, { mode: 0o700 });
  await copyOwnFiles(dataDirectory, folder);
}

/** Whatever stands there by now gives way, but for a link: written through, it would change what it points to. */
export async function copyOwnFiles(from: string, to: string): Promise<void> {
  for (const name of (await orNull(readdir(from))) ?? []) {
    const path = `${from}/${name}`;
    const found = servers.test(name) || ours.has(name) ? null : await orNull(stat(path));
    if (found?.isFile() !== true || found.size > mostBytes) continue;
    const there = await orNull(lstat(`${to}/${name}`));
    if (there?.isSymbolicLink() !== true) await copy(path, `${to}/${name}`);
  }
}

export async function restoreOwnFiles(context: GuardStepContext): Promise<void> {
  await copyOwnFiles(folderOf(context), context.settings.paths.dataDirectory);
}

export async function forgetOwnFiles(context: GuardStepContext): Promise<void> {
  await rm(folderOf(context), { recursive: true, force: true });
}

function folderOf({ settings }: GuardStepContext): string {
  return `${settings.stateDirectory}/rejoin-files`;
}

/** With its mode; on disk when it answers. */
async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await using file = await open(to, "r");
  await file.sync();
}
