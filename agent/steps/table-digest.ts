import type { Session } from "../ports.ts";
import { count, text } from "./row-values.ts";

export type TableName = {
  readonly database: string;
  readonly schema: string;
  readonly table: string;
  readonly bytes: number;
};

/** What one snapshot of a table adds up to. */
export type TableDigest = {
  readonly rows: number;
  /** Changes with every insert, update and delete that a snapshot can see. */
  readonly writes: string;
  /** Changes with every byte of any row; null where only counts are asked for. */
  readonly content: string | null;
};

export function isSameDigest(a: TableDigest, b: TableDigest): boolean {
  return a.rows === b.rows && a.writes === b.writes && a.content === b.content;
}

/**
 * One pass over the table with sums only: no sort, no memory, any size. A physical standby has the same row versions,
 * so the sum of their inserting transactions must be equal too, and tells that a table was written meanwhile where the
 * number of rows is the same. The content's sum is over 60 bits of each row's md5, which all versions since 9.6 have.
 */
export async function digestTable(
  session: Session,
  table: TableName,
  withContent: boolean,
  /** Runs first in the snapshot, e.g. to take the position that it belongs to. */
  first: () => Promise<void> = () => Promise.resolve(),
): Promise<TableDigest> {
  const content = withContent
    ? "CAST(coalesce(sum(CAST(CAST('x' || substr(md5(CAST(t AS text)), 1, 15) AS bit(60)) AS bigint)), 0) AS text)"
    : "NULL";
  const sql = `SELECT CAST(count(*) AS text) AS rows,
    CAST(coalesce(sum(CAST(CAST(t.xmin AS text) AS bigint)), 0) AS text) AS writes,
    ${content} AS content
    FROM ONLY ${quoteName(table.schema)}.${quoteName(table.table)} t`;
  await session.query("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    await first();
    const [row] = await session.query(sql);
    const found = row?.["content"];
    return {
      rows: count(row, "rows"),
      writes: row === undefined ? "" : text(row, "writes"),
      content: typeof found === "string" ? found : null,
    };
  } finally {
    await session.query("ROLLBACK");
  }
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
