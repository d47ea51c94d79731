import * as z from "zod";
import type { Connection } from "./connection.ts";
import type { SinkRecord, Store } from "./store.ts";

/** Up to which revision each sink was told. */
export function sinkRecords(db: Connection): Pick<Store, "useSinks" | "setTold"> {
  return {
    useSinks: (names) =>
      db.transaction(() => {
        for (const { name } of all(db)) {
          if (!names.includes(name)) db.run("DELETE FROM sink WHERE name = ?", [name]);
        }
        for (const name of names) {
          db.run(
            `INSERT INTO sink (name, first_revision, told_revision)
             SELECT ?, alert_revision, 0 FROM coordinator WHERE true ON CONFLICT (name) DO NOTHING`,
            [name],
          );
        }
        return all(db);
      }),
    setTold: (name, revision) => {
      db.run("UPDATE sink SET told_revision = ? WHERE name = ?", [revision, name]);
    },
  };
}

function all(db: Connection): readonly SinkRecord[] {
  return db.all("SELECT * FROM sink ORDER BY name").map((row) => SinkRow.parse(row));
}

const SinkRow = z
  .object({ name: z.string(), first_revision: z.number(), told_revision: z.number() })
  .transform((row): SinkRecord => ({
    name: row.name,
    firstRevision: row.first_revision,
    toldRevision: row.told_revision,
  }));
