import Database from "libsql";
import * as z from "zod";

type SqlValue = string | number | null;

/** The few calls of SQLite that the store uses, with rows as `unknown` until a schema has spoken. */
export type Connection = {
  exec(sql: string): void;
  run(sql: string, parameters?: readonly SqlValue[]): { readonly changes: number };
  get(sql: string, parameters?: readonly SqlValue[]): unknown;
  all(sql: string, parameters?: readonly SqlValue[]): readonly unknown[];
  /** BEGIN IMMEDIATE … COMMIT; rolled back when `work` throws. Joins a transaction that is open already. */
  transaction<T>(work: () => T): T;
  close(): void;
};

/** Changes nothing, whatever it is asked, nor when it is closed. */
export function openReadOnly(file: string): Connection {
  const path = file.split("/").map(encodeURIComponent).join("/");
  return openConnection(`file:${path}?mode=ro`);
}

/** Opens the file as it is (made when absent). The busy limit only matters for a curious second reader. */
export function openConnection(file: string): Connection {
  const database = new Database(file);
  const statements = new Map<string, Database.Statement>();
  const prepare = (sql: string): Database.Statement => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    exec: (sql) => {
      database.exec(sql);
    },
    run: (sql, parameters = []) => ({ changes: prepare(sql).run([...parameters]).changes }),
    get: (sql, parameters = []) => prepare(sql).get([...parameters]),
    all: (sql, parameters = []) => prepare(sql).all([...parameters]),
    transaction: (work) => {
      if (database.inTransaction) return work();
      database.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk has ended it already (SQLite docs, BEGIN): another ROLLBACK would hide why.
        if (database.inTransaction) database.exec("ROLLBACK");
        throw error;
      }
    },
    close: () => {
      statements.clear();
      database.close();
    },
  };
}

/** `PRAGMA name` as a number. */
export function pragmaNumber(connection: Connection, name: string): number {
  const row = z.record(z.string(), z.unknown()).parse(connection.get(`PRAGMA ${name}`));
  return z.number().parse(row[name]);
}
