import * as z from "zod";
import { Decision } from "#shared/domain/guard.ts";
import type { Connection } from "./connection.ts";
import type { Store } from "./store.ts";

type DecisionRecords = Pick<Store, "addDecision" | "decisions">;

/** Of each node: weeks of a quiet one, and no more of one gone wrong. */
const kept = 500;

export function decisionRecords(db: Connection): DecisionRecords {
  return {
    addDecision: (node, decision, at) =>
      db.transaction(() => {
        const { changes } = db.run(
          // What has begun has an end later; what has ended is not begun again by a message that is late.
          `INSERT INTO decision (node, id, at, body) VALUES (?, ?, ?, ?)
           ON CONFLICT (node, id) DO UPDATE SET body = excluded.body
           WHERE json_extract(decision.body, '$.outcome') = 'begun'`,
          [node, decision.id, at, JSON.stringify(decision)],
        );
        if (changes === 0) return false;
        db.run(
          `DELETE FROM decision WHERE node = ? AND sequence NOT IN
             (SELECT sequence FROM decision WHERE node = ? ORDER BY at DESC, sequence DESC LIMIT ?)`,
          [node, node, kept],
        );
        return true;
      }),
    decisions: (node, most = kept) =>
      db
        .all(
          "SELECT at, body FROM decision WHERE node = ? ORDER BY at DESC, sequence DESC LIMIT ?",
          [node, most],
        )
        .flatMap((row) => {
          const { at, body } = DecisionRow.parse(row);
          const decision = Decision.safeParse(JSON.parse(body));
          // Of another version of the program.
          return decision.success ? [{ at, decision: decision.data }] : [];
        }),
  };
}

const DecisionRow = z.object({ at: z.number(), body: z.string() });
