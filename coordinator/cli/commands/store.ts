import { existsSync, linkSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { asFailure, Failure } from "#shared/errors.ts";
import type { OfflineStore } from "../../offline-store.ts";
import { decodeBackup } from "../../store/backup-file.ts";
import type { JournalReport } from "../../store/check-journal.ts";
import { syncDirectory, writeSynced } from "../../store/replace-file.ts";
import { printResult, type CliContext } from "../context.ts";
import { withJson } from "../options.ts";
import { renderBackup, renderCheckedStore, renderRestore } from "../render/store.ts";

/** `store check|backup|restore`: through the coordinator while it runs, else on its files, under its lock. */
export function addStoreCommands(
  program: Command,
  context: CliContext,
  offline: () => OfflineStore,
): void {
  const store = program.command("store").description("the coordinator's journal and its backups");

  withJson(
    store.command("check").description("look at every page and record of the journal"),
  ).action(async (options: { json?: boolean }) => {
    const report = await either(
      () => context.client().post<JournalReport>("/store/check", {}),
      () => offline().check(),
    );
    if (report.problems.length > 0) throw unsound(report);
    printResult(context, options.json, report, renderCheckedStore(report));
  });
  withJson(
    store
      .command("backup")
      .description(
        "journal, certificate, key, settings and declarations in one file; keep it secret",
      )
      .argument("<file>")
      .option("--force", "replace a file that is there"),
  ).action(async (name: string, options: { force?: boolean; json?: boolean }) => {
    const file = resolve(name);
    if (options.force !== true) refuseExisting(file);
    const bytes = await either(
      () => context.client().download("/store/backup"),
      () => offline().backup(context.now()),
    );
    const { entries, madeAt } = decodeBackup(file, bytes);
    writeBackup(file, bytes, options.force === true);
    const names = entries.map((entry) => entry.name);
    const made = { file, bytes: bytes.length, madeAt, files: names };
    printResult(context, options.json, made, renderBackup(made));
  });
  withJson(
    store
      .command("restore")
      .description("put a backup (or a bare journal.db) in place; the coordinator must be stopped")
      .argument("<file>"),
  ).action((name: string, options: { json?: boolean }) => {
    const report = offline().restore(resolve(name), context.now());
    printResult(context, options.json, report, renderRestore(report));
  });
}

/** Where nobody answers the files are looked at, under the lock that tells whether really nobody is there. */
async function either<T>(online: () => Promise<T>, offline: () => T): Promise<T> {
  try {
    return await online();
  } catch (error) {
    if (asFailure(error).code !== "COORDINATOR_UNREACHABLE") throw error;
    return offline();
  }
}

function unsound({ file, problems }: JournalReport): Failure {
  return new Failure("STORE_UNUSABLE", `The journal ${file} is not in order.`, {
    hint: "stop the coordinator and put the last backup back: castellan store restore FILE",
    evidence: problems,
  });
}

function refuseExisting(file: string): void {
  if (!existsSync(file)) return;
  throw new Failure("ALREADY_EXISTS", `${file} is there already.`, {
    hint: "name another file, or repeat with --force",
  });
}

/** Whole or not at all, for its owner only. */
function writeBackup(file: string, bytes: Buffer, replace: boolean): void {
  const beside = join(dirname(file), `.${basename(file)}.new`);
  try {
    rmSync(beside, { force: true });
    writeSynced(beside, bytes, 0o600);
    if (replace) renameSync(beside, file);
    else linkSync(beside, file);
    syncDirectory(dirname(file));
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "EEXIST") refuseExisting(file);
    throw new Failure("RESOURCE_MISSING", `${file} can't be written (${code}).`, {
      cause,
      hint: "name a place with room that you may write to; what was there is as it was",
    });
  } finally {
    rmSync(beside, { force: true });
  }
}
