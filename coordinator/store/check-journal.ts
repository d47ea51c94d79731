import { statSync } from "node:fs";
import * as z from "zod";
import { terminalStates } from "#shared/domain/operation.ts";
import { asFailure } from "#shared/errors.ts";
import type { Connection } from "./connection.ts";
import { operationRecords } from "./operation-records.ts";
import { alteredOperations } from "./operation-sums.ts";

export type JournalReport = {
  readonly file: string;
  readonly bytes: number;
  readonly operations: number;
  readonly unfinished: readonly { readonly id: string; readonly state: string }[];
  readonly agents: readonly string[];
  readonly events: number;
  readonly epoch: number;
  /** Empty when it is in order. */
  readonly problems: readonly string[];
};

/** Looks at every page, every index and every operation of an open journal. */
export function checkJournal(db: Connection, file: string): JournalReport {
  const number = (sql: string): number => z.object({ n: z.number() }).parse(db.get(sql)).n;
  const problems: string[] = [];
  const attempt = <T>(what: string, otherwise: T, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      problems.push(`${what}: ${asFailure(error).message}`);
      return otherwise;
    }
  };
  const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  attempt("the structure", null, () => {
    const rows = db.all("PRAGMA integrity_check(20)");
    const lines = rows.map((row) => z.object({ integrity_check: z.string() }).parse(row));
    problems.push(...lines.map((l) => l.integrity_check).filter((line) => line !== "ok"));
    return null;
  });
  attempt("the sums", null, () => {
    problems.push(...alteredOperations(db));
    return null;
  });
  const operations = attempt("the operations", [], () => operationRecords(db).operations());
  return {
    file,
    bytes: sizeOf(file) + sizeOf(`${file}-wal`),
    operations: operations.length,
    unfinished: operations
      .filter(({ state }) => !terminalStates.has(state))
      .map(({ id, state }) => ({ id, state })),
    agents: attempt(
      "the agents",
      [],
      () =>
      db.all("SELECT node FROM agent ORDER BY node").map((row) => z.object({ node: z.string() }).parse(row).node), // prettier-ignore
    ),
    events: attempt("the events", 0, () => number("SELECT count(*) AS n FROM event")),
    epoch: attempt("the epoch", 0, () => number("SELECT epoch AS n FROM coordinator")),
    problems,
  };
}
