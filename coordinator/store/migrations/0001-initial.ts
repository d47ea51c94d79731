/** Times are ms since the epoch; what has a shape of its own in the code is stored as JSON text. */
export const initial = `
CREATE TABLE coordinator (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL
) STRICT;
INSERT INTO coordinator (id, epoch) VALUES (1, 0);

CREATE TABLE token (
  hash TEXT PRIMARY KEY,
  node TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;

CREATE TABLE agent (
  node TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL,
  joined_at INTEGER NOT NULL
) STRICT;

CREATE TABLE operation (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  cluster TEXT NOT NULL,
  subject TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  on_failure TEXT NOT NULL,
  state TEXT NOT NULL,
  plan TEXT NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  failure TEXT
) STRICT;
CREATE INDEX operation_by_time ON operation (requested_at);

CREATE TABLE step (
  operation_id TEXT NOT NULL REFERENCES operation (id),
  step_index INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  evidence TEXT,
  failure TEXT,
  PRIMARY KEY (operation_id, step_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
  cluster TEXT PRIMARY KEY,
  operation_id TEXT NOT NULL REFERENCES operation (id)
) STRICT;

CREATE TABLE baseline (
  node TEXT NOT NULL,
  path TEXT NOT NULL,
  hash TEXT,
  masked_text TEXT,
  accepted_at INTEGER NOT NULL,
  PRIMARY KEY (node, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  cause TEXT NOT NULL,
  severity TEXT NOT NULL,
  node TEXT,
  summary TEXT NOT NULL,
  detail TEXT NOT NULL,
  state TEXT NOT NULL,
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  count INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX open_alert_by_cause ON alert (cause) WHERE state = 'open';

CREATE TABLE event (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  node TEXT,
  operation_id TEXT,
  data TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_node ON event (node, sequence);
CREATE INDEX event_by_operation ON event (operation_id, sequence);
`;
