import { Failure } from "#shared/errors.ts";
import { initial } from "./migrations/0001-initial.ts";
import { restores } from "./migrations/0002-restores.ts";
import { alertLife } from "./migrations/0003-alert-life.ts";
import { fileVersions } from "./migrations/0004-file-versions.ts";
import { decisions } from "./migrations/0005-decisions.ts";
import { pragmaNumber, type Connection } from "./connection.ts";
import { sumAllOperations } from "./operation-sums.ts";

/** Applied in order, each in its own transaction; never edited after a release. */
const migrations: readonly string[] = [initial, restores, alertLife, fileVersions, decisions];

const schemaVersion = migrations.length;

/** "CSTL": tells a journal of ours from any other SQLite file. */
const applicationId = 0x4353544c;

/** Schemas below this one have no sums, and their commits were not counted. */
export const firstCountedSchema = 2;

/** @throws Failure STORE_UNUSABLE for another program's file, VERSION_MISMATCH for a newer program's. */
export function assertKnown(file: string, found: number, id: number): void {
  if (id !== applicationId) {
    throw new Failure("STORE_UNUSABLE", `${file} is not a Castellan journal.`, {
      hint: "check the state directory; the file was not changed",
    });
  }
  if (found > schemaVersion) {
    throw new Failure(
      "VERSION_MISMATCH",
      `${file} has schema ${found}; this program knows schemas up to ${schemaVersion}.`,
      { hint: "run the newer castellan that wrote it; the file was not changed" },
    );
  }
}

/** Brings a new or an older journal to this program's schema. */
export function migrate(connection: Connection): void {
  const found = pragmaNumber(connection, "user_version");
  for (let version = found; version < schemaVersion; version += 1) {
    connection.transaction(() => {
      connection.exec(migrations[version] ?? "");
      // A later migration that changes these tables sums anew what it has found in order, in its own transaction.
      if (version + 1 === firstCountedSchema) sumAllOperations(connection);
      connection.exec(`PRAGMA application_id = ${applicationId}`);
      connection.exec(`PRAGMA user_version = ${version + 1}`);
    });
  }
}
