import { Failure } from "#shared/errors.ts";
import { initial } from "./migrations/0001-initial.ts";
import { pragmaNumber, type Connection } from "./connection.ts";

/** Applied in order, each in its own transaction; never edited after a release. */
const migrations: readonly string[] = [initial];

const schemaVersion = migrations.length;

/** "CSTL": tells a journal of ours from any other SQLite file. */
const applicationId = 0x4353544c;

/** Brings an older journal to this program's schema; refuses a newer one before touching anything. */
export function migrate(connection: Connection, file: string): void {
  const found = pragmaNumber(connection, "user_version");
  const id = pragmaNumber(connection, "application_id");
  if (id !== applicationId && !(id === 0 && found === 0 && isEmpty(connection))) {
    throw new Failure("STORE_UNUSABLE", `${file} is an SQLite file, but not a Castellan journal.`, {
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
  for (let version = found; version < schemaVersion; version += 1) {
    connection.transaction(() => {
      connection.exec(migrations[version] ?? "");
      connection.exec(`PRAGMA application_id = ${applicationId}`);
      connection.exec(`PRAGMA user_version = ${version + 1}`);
    });
  }
}

function isEmpty(connection: Connection): boolean {
  return connection.all("SELECT name FROM sqlite_schema").length === 0;
}
