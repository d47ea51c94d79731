/** How often an operation was held because its journal was restored; part of its commands' ids. */
export const restores = `
ALTER TABLE operation ADD COLUMN restores INTEGER NOT NULL DEFAULT 0;
`;
