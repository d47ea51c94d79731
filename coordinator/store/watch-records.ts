import * as z from "zod";
import type { Connection } from "./connection.ts";
import type { BaselineRecord, EventRecord, Store } from "./store.ts";

type WatchRecords = Pick<
  Store,
  "setBaseline" | "baselines" | "addEvent" | "events" | "eventsAbout"
>;

/** Baselines and events. Events are kept up to `keptEvents`. */
export function watchRecords(db: Connection, keptEvents: number): WatchRecords {
  return {
    setBaseline: (node, path, hash, maskedText, now) => {
      db.run(
        `INSERT INTO baseline (node, path, hash, masked_text, accepted_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (node, path) DO UPDATE SET hash = excluded.hash,
           masked_text = excluded.masked_text, accepted_at = excluded.accepted_at`,
        [node, path, hash, maskedText, now],
      );
    },
    baselines: (node) =>
      db
        .all("SELECT * FROM baseline WHERE node = ? ORDER BY path", [node])
        .map((row) => BaselineRow.parse(row)),
    addEvent: (event) =>
      db.transaction(() => {
        const row = db.get(
          "INSERT INTO event (at, kind, node, operation_id, data) VALUES (?, ?, ?, ?, ?) RETURNING sequence",
          [event.at, event.kind, event.node, event.operationId, JSON.stringify(event.data ?? null)],
        );
        const { sequence } = z.object({ sequence: z.number() }).parse(row);
        // Now and then is enough: what is over the limit is bounded by this interval.
        if (sequence % 500 === 0) {
          db.run("DELETE FROM event WHERE sequence <= ?", [sequence - keptEvents]);
        }
        return { ...event, sequence };
      }),
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

const BaselineRow = z
  .object({
    node: z.string(),
    path: z.string(),
    hash: z.string().nullable(),
    masked_text: z.string().nullable(),
    accepted_at: z.number(),
  })
  .transform((row): BaselineRecord => ({
    node: row.node,
    path: row.path,
    hash: row.hash,
    maskedText: row.masked_text,
    acceptedAt: row.accepted_at,
  }));

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
