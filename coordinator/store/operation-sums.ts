import { createHash } from "node:crypto";
import * as z from "zod";
import type { Connection } from "./connection.ts";

/**
 * What commands the world carries a sum: an operation with its steps. SQLite's own checks see the structure of a page,
 * not a byte that turned in a text. The rest fails safe: an agent with another hash is refused, a baseline alerts.
 */
export function sumOperation(db: Connection, id: string): void {
  db.run("UPDATE operation SET sum = ? WHERE id = ?", [sumOf(db, id), id]);
}

export function sumAllOperations(db: Connection): void {
  for (const { id } of sums(db)) sumOperation(db, id);
}

/** What is not as it was written, as lines for people. */
export function alteredOperations(db: Connection): readonly string[] {
  const altered = sums(db).flatMap(({ id, sum }) =>
    sum === sumOf(db, id) ? [] : [`the record of operation ${id} is not what was written`],
  );
  const astray = db.all(
    `SELECT lease.cluster, lease.operation_id AS id FROM lease
     LEFT JOIN operation ON operation.id = lease.operation_id AND operation.cluster = lease.cluster
     WHERE operation.id IS NULL`,
  );
  return [
    ...altered,
    ...astray.map((row) => {
      const { id, cluster } = z.object({ id: z.string(), cluster: z.string() }).parse(row);
      return `the lease of cluster ${cluster} names operation ${id}, which is not about it`;
    }),
  ];
}

const Sums = z.array(z.object({ id: z.string(), sum: z.string().nullable() }));

function sums(db: Connection): z.infer<typeof Sums> {
  return Sums.parse(db.all("SELECT id, sum FROM operation ORDER BY requested_at, id"));
}

function sumOf(db: Connection, id: string): string {
  // Not `get`: libsql adds to its row how long it took.
  const rows = db.all("SELECT * FROM operation WHERE id = ?", [id]);
  const steps = db.all("SELECT * FROM step WHERE operation_id = ? ORDER BY step_index", [id]);
  const said = JSON.stringify([rows, steps], (name, value: unknown) =>
    name === "sum" ? undefined : value,
  );
  return createHash("sha256").update(said).digest("hex");
}
