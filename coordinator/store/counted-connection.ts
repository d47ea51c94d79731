import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { markOf, openCommitMark } from "./commit-mark.ts";
import type { Connection } from "./connection.ts";

const Counted = z.object({ commits: z.int().positive() });

/** The same connection, counting its commits in the journal itself and marking beside it what was acknowledged. */
export function countedConnection(plain: Connection, file: string): Connection {
  const mark = openCommitMark(markOf(file));
  let isWithin = false;
  const transaction = <T>(work: () => T): T => {
    if (isWithin) return work();
    isWithin = true;
    try {
      const { result, commits } = plain.transaction(() => ({ result: work(), commits: count() }));
      crashPoint("store:committed");
      try {
        mark.acknowledge(commits);
      } catch {
        // The commit is on disk. A mark that is behind only knows less.
      }
      return result;
    } finally {
      isWithin = false;
    }
  };
  const count = (): number =>
    Counted.parse(
      plain.get("UPDATE coordinator SET commits = commits + 1 WHERE id = 1 RETURNING commits"),
    ).commits;
  return {
    ...plain,
    run: (sql, parameters) => transaction(() => plain.run(sql, parameters)),
    transaction,
    close: () => {
      mark[Symbol.dispose]();
      try {
        // One file again, for whoever copies it while we are down.
        plain.get("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch {
        // A full disk, say: the log stays, and is as good.
      }
      plain.close();
    },
  };
}
