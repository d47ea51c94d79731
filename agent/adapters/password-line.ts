import type { Login } from "#shared/domain/commands.ts";
import type { Secret } from "#shared/secret.ts";

/**
 * A line of libpq's password file: `db1:5432:app:u:p\:w`. Colons and backslashes are escaped, and a
 * replication connection matches the database name `replication` (PostgreSQL docs, libpq-pgpass).
 */
export function passwordLine(login: Omit<Login, "secret">, password: Secret): string {
  const database = login.replication ? "replication" : login.database;
  const fields = [login.host, String(login.port), database, login.user, password.reveal()];
  return `${fields.map((field) => field.replaceAll(/[\\:]/g, "\\$&")).join(":")}\n`;
}
