/**
 * An alert stands while it is open or acknowledged. `revision`: of its last change, counted over all alerts; a sink has
 * told everything up to its own. What stands when a sink is new is told to it, what was over before its `first_revision`
 * is not.
 */
export const alertLife = `
ALTER TABLE coordinator ADD COLUMN alert_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alert ADD COLUMN rule TEXT;
ALTER TABLE alert ADD COLUMN file TEXT;
ALTER TABLE alert ADD COLUMN line INTEGER;
ALTER TABLE alert ADD COLUMN fix TEXT;
ALTER TABLE alert ADD COLUMN who TEXT;
ALTER TABLE alert ADD COLUMN acknowledged_at INTEGER;
ALTER TABLE alert ADD COLUMN acknowledged_by TEXT;
ALTER TABLE alert ADD COLUMN note TEXT;
ALTER TABLE alert ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alert ADD COLUMN change TEXT NOT NULL DEFAULT 'opened';
ALTER TABLE alert ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
UPDATE alert SET revision = id, changed_at = last_seen_at,
  change = CASE state WHEN 'resolved' THEN 'resolved' ELSE 'opened' END;
UPDATE coordinator SET alert_revision = (SELECT coalesce(max(revision), 0) FROM alert);
DROP INDEX open_alert_by_cause;
CREATE UNIQUE INDEX standing_alert_by_cause ON alert (cause) WHERE state <> 'resolved';
CREATE UNIQUE INDEX alert_by_revision ON alert (revision);

CREATE TABLE mute (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pattern TEXT NOT NULL UNIQUE,
  until INTEGER NOT NULL,
  muted_at INTEGER NOT NULL,
  muted_by TEXT NOT NULL,
  note TEXT
) STRICT;

CREATE TABLE sink (
  name TEXT PRIMARY KEY,
  first_revision INTEGER NOT NULL,
  told_revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
