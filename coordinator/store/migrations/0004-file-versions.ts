/**
 * What each watched file has been, as its agent told it; `version` counts from 1 in each file. A baseline whose mode and
 * owner are NULL is compared by its bytes alone until they are seen.
 */
export const fileVersions = `
ALTER TABLE baseline ADD COLUMN mode INTEGER;
ALTER TABLE baseline ADD COLUMN owner TEXT;
ALTER TABLE baseline ADD COLUMN accepted_by TEXT NOT NULL DEFAULT 'first sight';

CREATE TABLE file_version (
  node TEXT NOT NULL,
  path TEXT NOT NULL,
  version INTEGER NOT NULL,
  format TEXT NOT NULL,
  state TEXT NOT NULL,
  hash TEXT,
  mode INTEGER,
  owner TEXT,
  owner_name TEXT,
  modified_at INTEGER,
  masked_text TEXT,
  is_cut INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  accepted_at INTEGER,
  accepted_by TEXT,
  PRIMARY KEY (node, path, version)
) STRICT, WITHOUT ROWID;
`;
