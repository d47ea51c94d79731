import * as z from "zod";
import { FileFacts } from "#shared/domain/facts.ts";
import type { Connection } from "./connection.ts";
import type { BaselineRecord, FileVersionRecord, Store } from "./store.ts";

type FileRecords = Pick<
  Store,
  "setBaseline" | "baselines" | "forgetFiles" | "noteFile" | "newestFiles" | "fileVersions"
>;

export type KeptFileVersions = {
  /** Of each file; the newest that was accepted stays besides. */
  readonly versions: number;
  /** A longer text is not kept with its version. */
  readonly textBytes: number;
};

export const defaultKeptFileVersions: KeptFileVersions = { versions: 50, textBytes: 262_144 };

/** Baselines, and what every watched file has been. */
export function fileRecords(db: Connection, kept: KeptFileVersions): FileRecords {
  const newest = (node: string, path: string): FileVersionRecord | null => {
    const row = db.get(
      "SELECT * FROM file_version WHERE node = ? AND path = ? ORDER BY version DESC LIMIT 1",
      [node, path],
    );
    return row === undefined ? null : VersionRow.parse(row);
  };

  const baselines = (node: string): readonly BaselineRecord[] =>
    db
      .all("SELECT * FROM baseline WHERE node = ? ORDER BY path", [node])
      .map((row) => BaselineRow.parse(row));

  /** The newest version of these bytes is the one that was accepted. */
  const markAccepted = ({
    node,
    path,
    hash,
    mode,
    owner,
    acceptedAt,
    acceptedBy,
  }: BaselineRecord) => {
    db.run(
      `UPDATE file_version SET accepted_at = ?, accepted_by = ?
       WHERE node = ? AND path = ? AND accepted_at IS NULL AND version =
         (SELECT max(version) FROM file_version WHERE node = ? AND path = ? AND hash IS ?
          AND state IN ('present', 'absent') AND (? IS NULL OR mode IS ?) AND (? IS NULL OR owner IS ?))`,
      [acceptedAt, acceptedBy, node, path, node, path, hash, mode, mode, owner, owner],
    );
  };

  const trim = (node: string, path: string, version: number): void => {
    db.run(
      `DELETE FROM file_version WHERE node = ? AND path = ? AND version <= ? AND version <>
         coalesce((SELECT max(version) FROM file_version WHERE node = ? AND path = ? AND accepted_at IS NOT NULL), 0)`,
      [node, path, version - kept.versions, node, path],
    );
  };

  return {
    baselines,
    forgetFiles: (node) =>
      db.transaction(() => {
        db.run("DELETE FROM baseline WHERE node = ?", [node]);
        db.run("DELETE FROM file_version WHERE node = ?", [node]);
      }),
    setBaseline: (baseline, now) =>
      db.transaction(() => {
        const { node, path, hash, mode, owner, maskedText, acceptedBy } = baseline;
        db.run(
          `INSERT INTO baseline (node, path, hash, mode, owner, masked_text, accepted_at, accepted_by)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (node, path) DO UPDATE SET hash = excluded.hash, mode = excluded.mode,
             owner = excluded.owner, masked_text = excluded.masked_text,
             accepted_at = excluded.accepted_at, accepted_by = excluded.accepted_by`,
          [node, path, hash, mode, owner, maskedText, now, acceptedBy],
        );
        markAccepted({ ...baseline, acceptedAt: now });
      }),
    noteFile: (node, file, now) => {
      const last = newest(node, file.path);
      if (last !== null && isSame(last, file)) return false;
      return db.transaction(() => {
        const version = (last?.version ?? 0) + 1;
        const isCut = (file.maskedText?.length ?? 0) > kept.textBytes;
        db.run(
          `INSERT INTO file_version (node, path, version, format, state, hash, mode, owner, owner_name, modified_at, masked_text, is_cut, seen_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          [
            node,
            file.path,
            version,
            file.format,
            file.state,
            file.hash,
            file.mode,
            file.owner,
            file.ownerName ?? null,
            file.modifiedAt,
            isCut ? null : file.maskedText,
            isCut ? 1 : 0,
            now,
          ],
        );
        const row = db.get("SELECT * FROM baseline WHERE node = ? AND path = ?", [node, file.path]);
        if (row !== undefined) markAccepted(BaselineRow.parse(row));
        trim(node, file.path, version);
        return true;
      });
    },
    newestFiles: (node) =>
      db
        .all(
          `SELECT * FROM file_version AS v WHERE node = ? AND version =
             (SELECT max(version) FROM file_version WHERE node = v.node AND path = v.path) ORDER BY path`,
          [node],
        )
        .map((row) => VersionRow.parse(row)),
    fileVersions: (node, path) =>
      db
        .all("SELECT * FROM file_version WHERE node = ? AND path = ? ORDER BY version DESC", [
          node,
          path,
        ])
        .map((row) => VersionRow.parse(row)),
  };
}

function isSame(last: FileVersionRecord, file: FileFacts): boolean {
  return (
    last.state === file.state &&
    last.hash === file.hash &&
    last.mode === file.mode &&
    last.owner === file.owner
  );
}

const BaselineRow = z
  .object({
    node: z.string(),
    path: z.string(),
    hash: z.string().nullable(),
    mode: z.number().nullable(),
    owner: z.string().nullable(),
    masked_text: z.string().nullable(),
    accepted_at: z.number(),
    accepted_by: z.string(),
  })
  .transform((row): BaselineRecord => ({
    node: row.node,
    path: row.path,
    hash: row.hash,
    mode: row.mode,
    owner: row.owner,
    maskedText: row.masked_text,
    acceptedAt: row.accepted_at,
    acceptedBy: row.accepted_by,
  }));

const VersionRow = z
  .object({
    node: z.string(),
    path: z.string(),
    version: z.number(),
    format: FileFacts.shape.format,
    state: FileFacts.shape.state,
    hash: z.string().nullable(),
    mode: z.number().nullable(),
    owner: z.string().nullable(),
    owner_name: z.string().nullable(),
    modified_at: z.number().nullable(),
    masked_text: z.string().nullable(),
    is_cut: z.number(),
    seen_at: z.number(),
    accepted_at: z.number().nullable(),
    accepted_by: z.string().nullable(),
  })
  .transform((row): FileVersionRecord => ({
    node: row.node,
    path: row.path,
    version: row.version,
    format: row.format,
    state: row.state,
    hash: row.hash,
    mode: row.mode,
    owner: row.owner,
    ownerName: row.owner_name,
    modifiedAt: row.modified_at,
    maskedText: row.masked_text,
    isCut: row.is_cut === 1,
    seenAt: row.seen_at,
    acceptedAt: row.accepted_at,
    acceptedBy: row.accepted_by,
  }));
