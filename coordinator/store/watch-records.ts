import * as z from "zod";
import type { Connection } from "./connection.ts";
import type { AlertRecord, BaselineRecord, EventRecord, Store } from "./store.ts";

type WatchRecords = Pick<
  Store,
  | "setBaseline"
  | "baselines"
  | "raiseAlert"
  | "resolveAlert"
  | "alerts"
  | "addEvent"
  | "events"
  | "eventsAbout"
>;

const keptAlerts = 10_000;

/** Baselines, alerts and events. Events are kept up to `keptEvents`. */
export function watchRecords(db: Connection, keptEvents: number): WatchRecords {
  const openAlert = (cause: string): AlertRecord | null => {
    const row = db.get("SELECT * FROM alert WHERE cause = ? AND state = 'open'", [cause]);
    return row === undefined ? null : AlertRow.parse(row);
  };

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
    raiseAlert: (alert, now) =>
      db.transaction(() => {
        const { changes } = db.run(
          `UPDATE alert SET severity = ?, summary = ?, detail = ?, last_seen_at = ?, count = count + 1
           WHERE cause = ? AND state = 'open'`,
          [alert.severity, alert.summary, alert.detail, now, alert.cause],
        );
        if (changes === 0) {
          db.run(
            `INSERT INTO alert (cause, severity, node, summary, detail, state, first_seen_at, last_seen_at, count)
             VALUES (?, ?, ?, ?, ?, 'open', ?, ?, 1)`,
            [alert.cause, alert.severity, alert.node, alert.summary, alert.detail, now, now],
          );
        }
        const raised = openAlert(alert.cause);
        if (raised === null)
          throw new Error(`alert ${alert.cause} is gone right after it was raised`);
        // A link that comes and goes makes an alert each time: those that are over are kept for a while only.
        if (changes === 0 && raised.id % 500 === 0) {
          db.run("DELETE FROM alert WHERE state = 'resolved' AND id <= ?", [
            raised.id - keptAlerts,
          ]);
        }
        return raised;
      }),
    resolveAlert: (cause, now) => {
      // Asked at every turn for what is seldom open: no commit then, and no need of a disk with room.
      const open = db.get("SELECT id FROM alert WHERE cause = ? AND state = 'open'", [cause]);
      if (open === undefined) return;
      db.run(
        "UPDATE alert SET state = 'resolved', last_seen_at = ? WHERE cause = ? AND state = 'open'",
        [now, cause],
      );
    },
    alerts: (filter = {}) =>
      db
        .all(
          `SELECT * FROM alert ${filter.open === true ? "WHERE state = 'open'" : ""} ORDER BY id DESC LIMIT 1000`,
        )
        .map((row) => AlertRow.parse(row)),
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

const AlertRow = z
  .object({
    id: z.number(),
    cause: z.string(),
    severity: z.enum(["info", "warning", "critical"]),
    node: z.string().nullable(),
    summary: z.string(),
    detail: z.string(),
    state: z.enum(["open", "resolved"]),
    first_seen_at: z.number(),
    last_seen_at: z.number(),
    count: z.number(),
  })
  .transform((row): AlertRecord => ({
    id: row.id,
    cause: row.cause,
    severity: row.severity,
    node: row.node,
    summary: row.summary,
    detail: row.detail,
    state: row.state,
    firstSeenAt: row.first_seen_at,
    lastSeenAt: row.last_seen_at,
    count: row.count,
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
