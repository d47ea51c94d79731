/**
 * `restores`: how often an operation was held because its journal was restored; part of its commands' ids.
 * `sum`: of an operation and its steps (operation-sums.ts). `commits`: counted (counted-connection.ts).
 */
export const restores = `
ALTER TABLE operation ADD COLUMN restores INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operation ADD COLUMN sum TEXT;
ALTER TABLE coordinator ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
`;
