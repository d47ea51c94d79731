import * as z from "zod";
import type { Connection } from "./connection.ts";
import type { EventRecord, Store } from "./store.ts";

type EventRecords = Pick<
  Store,
  "addEvent" | "events" | "newestEvents" | "watchEvents" | "eventsAbout"
>;

/** Events are kept up to `keptEvents`. */
export function eventRecords(db: Connection, keptEvents: number): EventRecords {
  const listeners = new Set<() => void>();
  return {
    addEvent: (event) => {
      const added = db.transaction(() => {
        const row = db.get(
          "INSERT INTO event (at, kind, node, operation_id, data) VALUES (?, ?, ?, ?, ?) RETURNING sequence",
          [event.at, event.kind, event.node, event.operationId, JSON.stringify(event.data ?? null)],
        );
        const { sequence } = AddedRow.parse(row);
        // Now and then is enough: what is over the limit is bounded by this interval.
        if (sequence % 500 === 0) {
          db.run("DELETE FROM event WHERE sequence <= ?", [sequence - keptEvents]);
        }
        return { ...event, sequence };
      });
      for (const listener of listeners) listener();
      return added;
    },
    newestEvents: (limit) =>
      db
        .all("SELECT * FROM event ORDER BY sequence DESC LIMIT ?", [limit])
        .map((row) => EventRow.parse(row))
        .toReversed(),
    watchEvents: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    events: (after, limit) =>
      db
        .all("SELECT * FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?", [after, limit])
        .map((row) => EventRow.parse(row)),
    eventsAbout: (subject, limit) =>
      db
        .all(
          `SELECT * FROM event WHERE node = ? OR operation_id = ? ORDER BY sequence DESC LIMIT ?`,
          "node" in subject ? [subject.node, null, limit] : [null, subject.operationId, limit],
        )
        .map((row) => EventRow.parse(row))
        .toReversed(),
  };
}

const AddedRow = z.object({ sequence: z.number() });
const EventRow = z
  .object({
    sequence: z.number(),
    at: z.number(),
    kind: z.string(),
    node: z.string().nullable(),
    operation_id: z.string().nullable(),
    data: z.string().transform((text): unknown => JSON.parse(text)),
  })
  .transform((row): EventRecord => ({
    sequence: row.sequence,
    at: row.at,
    kind: row.kind,
    node: row.node,
    operationId: row.operation_id,
    data: row.data,
  }));
