import * as z from "zod";
import { matchesCause } from "../alerts/cause-pattern.ts";
import { severities } from "../fleet/severity.ts";
import { AlertRow, ChangedRow } from "./alert-rows.ts";
import type { Connection } from "./connection.ts";
import { addMute, isHiddenBy, readMutes } from "./mute-records.ts";
import type { AlertChange, AlertInput, AlertRecord, Store } from "./store.ts";

type AlertRecords = Pick<
  Store,
  | "raiseAlert"
  | "resolveAlert"
  | "acknowledgeAlert"
  | "alert"
  | "alerts"
  | "alertChanges"
  | "standingChanges"
  | "changedAlerts"
  | "watchAlerts"
  | "mutes"
  | "addMute"
  | "removeMute"
>;

const keptAlerts = 10_000;

/** Alerts and what is muted of them. Each change of an alert takes the next revision, in its own transaction. */
export function alertRecords(db: Connection): AlertRecords {
  const listeners = new Set<(change: AlertChange) => void>();
  const read = (
    where: string,
    parameters: readonly (string | number)[],
  ): readonly AlertChange[] => {
    const rows = db.all(`SELECT * FROM alert WHERE ${where}`, parameters);
    if (rows.length === 0) return [];
    const patterns = readMutes(db).map(({ pattern }) => pattern);
    return rows.map((row) => {
      const { alert, ...change } = AlertRow.parse(row);
      const isMuted = patterns.some((pattern) => matchesCause(pattern, alert.cause));
      return { ...change, alert: { ...alert, isMuted } };
    });
  };
  const standing = (cause: string): AlertChange | undefined =>
    read("cause = ? AND state <> 'resolved'", [cause])[0];
  const byId = (id: number): AlertChange | undefined => read("id = ?", [id])[0];
  /** In the transaction of what has changed. */
  const mark = (id: number, kind: AlertChange["kind"], now: number): void => {
    db.run(
      `UPDATE alert SET change = ?, changed_at = ?, revision =
         (SELECT alert_revision + 1 FROM coordinator WHERE id = 1) WHERE id = ?`,
      [kind, now, id],
    );
    db.run("UPDATE coordinator SET alert_revision = alert_revision + 1 WHERE id = 1");
  };
  /** After the commit: what a listener does is not part of it. */
  const tell = (change: AlertChange | undefined): void => {
    if (change !== undefined) for (const listener of listeners) listener(change);
  };

  return {
    raiseAlert: (input, now) => {
      const { raised, isChanged } = db.transaction(() => {
        const before = standing(input.cause)?.alert;
        const kind = before === undefined ? "opened" : changeOf(before, input);
        const id = before === undefined ? insert(db, input, now) : refresh(db, before, input, now);
        if (kind === "reopened") {
          db.run(
            `UPDATE alert SET state = 'open', acknowledged_at = NULL, acknowledged_by = NULL, note = NULL
             WHERE id = ?`,
            [id],
          );
        }
        if (kind !== null) mark(id, kind, now);
        // A link that comes and goes makes an alert each time: those that are over are kept for a while only.
        if (kind === "opened" && id % 500 === 0) {
          db.run("DELETE FROM alert WHERE state = 'resolved' AND id <= ?", [id - keptAlerts]);
        }
        const after = byId(id);
        if (after === undefined) throw new Error(`alert ${input.cause} is gone right after it was raised`); // prettier-ignore
        return { raised: after, isChanged: kind !== null };
      });
      if (isChanged) tell(raised);
      return raised.alert;
    },
    resolveAlert: (cause, now) => {
      // Asked at every turn for what seldom stands: no commit then, and no need of a disk with room.
      const id = standing(cause)?.alert.id;
      if (id === undefined) return;
      db.transaction(() => {
        db.run("UPDATE alert SET state = 'resolved', last_seen_at = ? WHERE id = ?", [now, id]);
        mark(id, "resolved", now);
      });
      tell(byId(id));
    },
    acknowledgeAlert: (id, { by, note }, now) => {
      const isDone = db.transaction(() => {
        const { changes } = db.run(
          `UPDATE alert SET state = 'acknowledged', acknowledged_at = ?, acknowledged_by = ?, note = ?
           WHERE id = ? AND
             (state = 'open' OR (state = 'acknowledged' AND acknowledged_by = ? AND ? IS NOT NULL))`,
          [now, by, note, id, by, note],
        );
        if (changes > 0) mark(id, "acknowledged", now);
        return changes > 0;
      });
      const found = byId(id);
      if (isDone) tell(found);
      return found?.alert ?? null;
    },
    alert: (id) => byId(id)?.alert ?? null,
    alerts: (filter = {}) =>
      // All that stand: whoever looks for one must not miss it.
      read(`state <> 'resolved' ${filter.open === true ? "" : orOver} ORDER BY id DESC`, []).map(
        ({ alert }) => alert,
      ),
    alertChanges: (after, limit) => read("revision > ? ORDER BY revision LIMIT ?", [after, limit]),
    standingChanges: () => read("state <> 'resolved' ORDER BY revision", []),
    changedAlerts: (after) => {
      const sql = "SELECT revision, cause, severity, state FROM alert WHERE revision > ? ORDER BY revision"; // prettier-ignore
      const patterns = readMutes(db).map(({ pattern }) => pattern);
      return db.all(sql, [after]).map((row) => {
        const changed = ChangedRow.parse(row);
        return { ...changed, isMuted: patterns.some((p) => matchesCause(p, changed.cause)) };
      });
    },
    watchAlerts: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    mutes: () => readMutes(db),
    addMute: (mute) => addMute(db, mute),
    removeMute: (mute, now) => {
      const hidden = db.transaction(() => {
        const { changes } = db.run("DELETE FROM mute WHERE id = ?", [mute.id]);
        if (changes === 0) return [];
        const found = read("(state <> 'resolved' OR changed_at >= ?) ORDER BY revision", [
          mute.mutedAt,
        ]).filter(({ alert, changedAt }) => isHiddenBy(mute, { ...alert, changedAt }));
        for (const { alert } of found) mark(alert.id, "unmuted", now);
        return found;
      });
      for (const { alert } of hidden) tell(byId(alert.id));
    },
  };
}

/** The newest of those that are over. */
const orOver =
  "OR id IN (SELECT id FROM alert WHERE state = 'resolved' ORDER BY id DESC LIMIT 1000)";

/** null: only seen once more. What somebody has acknowledged opens again when there is something new to see. */
function changeOf(before: AlertRecord, now: AlertInput): "changed" | "reopened" | null {
  const isOther = before.detail !== now.detail;
  if (!isOther && before.severity === now.severity) return null;
  const isWorse = severities.indexOf(now.severity) > severities.indexOf(before.severity);
  const isNews = isWorse || (isOther && now.isNews !== false);
  return before.state === "acknowledged" && isNews ? "reopened" : "changed";
}

function insert(db: Connection, input: AlertInput, now: number): number {
  const row = db.get(
    `INSERT INTO alert (cause, severity, node, summary, detail, rule, file, line, fix, who,
       state, first_seen_at, last_seen_at, count, revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, 1, -1) RETURNING id`,
    [input.cause, input.severity, input.node, ...changing(input), now, now],
  );
  return InsertedRow.parse(row).id;
}

const InsertedRow = z.object({ id: z.number() });

function refresh(db: Connection, { id }: AlertRecord, input: AlertInput, now: number): number {
  db.run(
    `UPDATE alert SET severity = ?, summary = ?, detail = ?, rule = ?, file = ?, line = ?, fix = ?, who = ?,
       last_seen_at = ?, count = count + 1 WHERE id = ?`,
    [input.severity, ...changing(input), now, id],
  );
  return id;
}

function changing(input: AlertInput): readonly (string | number | null)[] {
  const { summary, detail, rule = null, file = null, line = null, fix = null, who = null } = input;
  return [summary, detail, rule, file, line, fix, who];
}
