/** What each agent's guard decided; `at` is by the coordinator's clock, `body` the whole as the agent told it. */
export const decisions = `
CREATE TABLE decision (
  sequence INTEGER PRIMARY KEY,
  node TEXT NOT NULL,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (node, id)
) STRICT;
CREATE INDEX decision_by_time ON decision (node, at, sequence);
`;
