import { Failure } from "#shared/errors.ts";
import type { FileDiff, FileHistory, FileShown, FileVersionLine } from "../api/drift-contract.ts";
import type { FileVersionRecord, Store } from "../store/store.ts";
import { diffLines, whoOf } from "./describe-drift.ts";
import { findCounterpart, findFile } from "./find-file.ts";

type FileStore = Pick<Store, "agent" | "baselines" | "newestFiles" | "fileVersions">;

export function fileHistory(store: FileStore, node: string, file: string): FileHistory {
  const path = findFile(store, node, file);
  return { node, path, versions: store.fileVersions(node, path).map(lineOf) };
}

/** The newest version, or the one asked for. @throws Failure NOT_FOUND naming those that are kept */
export function showFile(
  store: FileStore,
  node: string,
  file: string,
  version: number | null,
): FileShown {
  const versions = store.fileVersions(node, findFile(store, node, file));
  const found = pick(versions, node, file, version);
  const isCurrent = found.version === versions[0]?.version;
  return { ...lineOf(found), maskedText: found.maskedText, isCurrent };
}

/** `srv127` is that node's newest version, `srv127:3` its third one. */
export function diffFiles(store: FileStore, left: string, right: string, file: string): FileDiff {
  const a = versionAt(store, left, file);
  const b = versionAt(store, right, file);
  return { left: lineOf(a), right: lineOf(b), diff: diffLines(a.path, a, b) };
}

function versionAt(store: FileStore, place: string, file: string): FileVersionRecord {
  const [, node = "", version] = /^([^:]+)(?::([1-9]\d{0,8}))?$/.exec(place) ?? [];
  if (node === "") {
    throw new Failure("USAGE", `${place} is no node, nor NODE:VERSION.`, {
      hint: "e.g. castellan file diff srv127:3 srv127 pg_hba.conf",
    });
  }
  const path = findCounterpart(store, node, file);
  const wanted = version === undefined ? null : Number(version);
  return pick(store.fileVersions(node, path), node, path, wanted);
}

function pick(
  versions: readonly FileVersionRecord[],
  node: string,
  file: string,
  version: number | null,
): FileVersionRecord {
  const found = version === null ? versions[0] : versions.find((one) => one.version === version);
  if (found !== undefined) return found;
  const kept = versions.map((one) => one.version);
  throw new Failure(
    "NOT_FOUND",
    version === null
      ? `${file} of ${node} was never seen.`
      : `Version ${version} of ${file} on ${node} is not kept: those that are: ${kept.join(", ") || "none"}.`,
    { hint: `castellan file history ${node} ${file}` },
  );
}

function lineOf(version: FileVersionRecord): FileVersionLine {
  const { maskedText, ...line } = version;
  return { ...line, hasText: maskedText !== null, who: whoOf(version) };
}
