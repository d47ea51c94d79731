import type { FailureRecord, OperationState } from "#shared/domain/operation.ts";
import type { Connection } from "./connection.ts";
import { operationRecords } from "./operation-records.ts";
import { sumOperation } from "./operation-sums.ts";

/** Why what is under way may not simply go on: the journal is older than the world. */
export type HoldCause = { readonly message: string; readonly now: number };

/** The alert that stays while operations are held. */
export const restoredCause = "coordinator/journal-restored";

/**
 * Every unfinished operation waits for a person. What its steps were is not trusted any more: each is looked at again
 * when it goes on, and each is taken back when it is aborted, also those that this journal knows nothing of. Their
 * commands get new ids: an answer that an agent has kept tells of the world before. Answers the ids.
 */
export function holdOperations(db: Connection, cause: HoldCause): readonly string[] {
  return db.transaction(() => {
    const held = operationRecords(db).operations({ unfinished: true });
    for (const { id, state, failure } of held) {
      const to = heldAs[state] ?? state;
      const record: FailureRecord = {
        code: "INTERRUPTED",
        message: cause.message,
        hint: null,
        evidence: failure === null ? [] : [`before: ${failure.code}: ${failure.message}`, ...failure.evidence], // prettier-ignore
        retryable: false,
      };
      db.run(
        "UPDATE operation SET state = ?, failure = ?, restores = restores + 1, ended_at = ? WHERE id = ?",
        [to, JSON.stringify(record), to === "needs-attention" ? cause.now : null, id],
      );
      db.run(
        `UPDATE step SET state = 'pending', attempt = max(attempt, 1), ended_at = NULL, failure = NULL
         WHERE operation_id = ?`,
        [id],
      );
      sumOperation(db, id);
      db.run(
        "INSERT INTO event (at, kind, node, operation_id, data) VALUES (?, 'operation:held', NULL, ?, ?)",
        [cause.now, id, JSON.stringify({ from: state, to, because: cause.message })],
      );
    }
    return held.map(({ id }) => id);
  });
}

/** Who was being taken back is taken back further, when somebody says so; the rest may go either way. */
const heldAs: { readonly [S in OperationState]?: OperationState } = {
  planned: "paused",
  running: "paused",
  paused: "paused",
  "rolling-back": "needs-attention",
  "needs-attention": "needs-attention",
};
