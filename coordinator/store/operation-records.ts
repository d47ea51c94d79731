import * as z from "zod";
import { terminalStates } from "#shared/domain/operation.ts";
import { Failure } from "#shared/errors.ts";
import type { Connection } from "./connection.ts";
import { OperationRow, StepRow, SummaryRow } from "./operation-rows.ts";
import { sumOperation } from "./operation-sums.ts";
import type { OperationRecord, StepRecord, Store } from "./store.ts";

type OperationRecords = Pick<
  Store,
  | "createOperation"
  | "operation"
  | "operations"
  | "newestOperations"
  | "setOperationState"
  | "setStep"
  | "leaseHolder"
>;

/** Operations, their steps, and the lease that lets one of them at a time change a cluster. */
export function operationRecords(db: Connection): OperationRecords {
  const stepsOf = (id: string): readonly StepRecord[] =>
    db
      .all("SELECT * FROM step WHERE operation_id = ? ORDER BY step_index", [id])
      .map((row) => StepRow.parse(row));
  const read = (row: unknown): OperationRecord => {
    const operation = OperationRow.parse(row);
    return { ...operation, steps: stepsOf(operation.id) };
  };
  const operation = (id: string): OperationRecord | null => {
    const row = db.get("SELECT * FROM operation WHERE id = ?", [id]);
    return row === undefined ? null : read(row);
  };
  const existing = (id: string): OperationRecord => {
    const found = operation(id);
    if (found === null) throw new Failure("NOT_FOUND", `There is no operation ${id}.`);
    return found;
  };
  const leaseHolder = (cluster: string): OperationRecord | null => {
    const row = db.get("SELECT operation_id FROM lease WHERE cluster = ?", [cluster]);
    return row === undefined ? null : existing(LeaseRow.parse(row).operation_id);
  };

  return {
    operation,
    leaseHolder,
    createOperation: (header, plan, options) =>
      db.transaction(() => {
        // Nobody can write until a failover is through: it waits for no other operation, which finds its premise broken.
        const heldBy = header.kind === "failover" ? null : leaseHolder(header.cluster);
        if (heldBy !== null && heldBy.id !== options.under) return { heldBy };
        db.run(
          `INSERT INTO operation (id, kind, cluster, subject, requested_by, requested_at, on_failure, state, plan)
           VALUES (?, ?, ?, ?, ?, ?, ?, 'planned', ?)`,
          [
            header.id,
            header.kind,
            header.cluster,
            header.subject,
            header.requestedBy,
            header.requestedAt,
            options.onFailure,
            JSON.stringify(plan),
          ],
        );
        for (const index of plan.steps.keys()) {
          db.run(
            "INSERT INTO step (operation_id, step_index, state, attempt) VALUES (?, ?, 'pending', 0)",
            [header.id, index],
          );
        }
        db.run("INSERT OR IGNORE INTO lease (cluster, operation_id) VALUES (?, ?)", [
          header.cluster,
          header.id,
        ]);
        sumOperation(db, header.id);
        return existing(header.id);
      }),
    operations: (filter = {}) =>
      db
        .all(
          `SELECT * FROM operation WHERE (? IS NULL OR cluster = ?)
           ${filter.unfinished === true ? `AND state NOT IN (${finished})` : ""}
           ORDER BY requested_at, id`,
          [filter.cluster ?? null, filter.cluster ?? null],
        )
        .map(read),
    newestOperations: (limit) =>
      db
        .all(
          `SELECT id, kind, cluster, subject, requested_by, requested_at, on_failure, state, started_at,
             ended_at, failure, restores,
             (SELECT count(*) FROM step WHERE operation_id = id AND step.state = 'done') AS steps_done,
             (SELECT count(*) FROM step WHERE operation_id = id) AS steps_planned
           FROM operation ORDER BY requested_at DESC, id DESC LIMIT ?`,
          [limit],
        )
        .map((row) => SummaryRow.parse(row)),
    setOperationState: (id, state, now, failure) => {
      db.transaction(() => {
        const before = existing(id);
        const isTerminal = terminalStates.has(state);
        db.run(
          "UPDATE operation SET state = ?, started_at = ?, ended_at = ?, failure = ? WHERE id = ?",
          [
            state,
            before.startedAt ?? (state === "running" ? now : null),
            isTerminal || state === "needs-attention" ? now : null,
            toJson(failure === undefined ? before.failure : failure),
            id,
          ],
        );
        sumOperation(db, id);
        if (isTerminal) db.run("DELETE FROM lease WHERE operation_id = ?", [id]);
      });
    },
    setStep: (id, index, change) => {
      db.transaction(() => {
        const row = db.get("SELECT * FROM step WHERE operation_id = ? AND step_index = ?", [
          id,
          index,
        ]);
        if (row === undefined) throw new Failure("NOT_FOUND", `${id} has no step ${index}.`);
        const step = { ...StepRow.parse(row), ...change };
        db.run(
          `UPDATE step SET state = ?, attempt = ?, started_at = ?, ended_at = ?, evidence = ?, failure = ?
           WHERE operation_id = ? AND step_index = ?`,
          [
            step.state,
            step.attempt,
            step.startedAt,
            step.endedAt,
            toJson(step.evidence),
            toJson(step.failure),
            id,
            index,
          ],
        );
        sumOperation(db, id);
      });
    },
  };
}

const LeaseRow = z.object({ operation_id: z.string() });

const finished = [...terminalStates].map((state) => `'${state}'`).join(", ");

function toJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
