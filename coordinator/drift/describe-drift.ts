import { newComplaints } from "#shared/config-files/file-complaints.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { DriftItem } from "../api/drift-contract.ts";
import type { BaselineRecord, FileVersionRecord } from "../store/store.ts";
import { shownHash, type WatchedFileState } from "./file-states.ts";

/** One line about a file that differs from what is accepted. */
export function driftItem(state: WatchedFileState, cluster: string | null): DriftItem {
  const { baseline, current } = state;
  return {
    cluster,
    node: current.node,
    path: current.path,
    what: whatHappened(state),
    shown: shownHash(state),
    seenAt: current.seenAt,
    modifiedAt: current.modifiedAt,
    who: whoOf(current),
    acceptedAt: baseline.acceptedAt,
    acceptedBy: baseline.acceptedBy,
    state: current.state,
    isBroken: newComplaints(current, baseline.maskedText).some(({ isDoubt }) => isDoubt !== true),
  };
}

function whatHappened({ baseline, current }: WatchedFileState): string {
  switch (current.state) {
    case "present":
      if (baseline.hash === null) return "appeared";
      if (current.hash !== baseline.hash) return "changed";
      return current.mode === baseline.mode ? "owner changed" : "mode changed";
    case "absent":
      return "gone";
    case "unreadable":
      return "can't be read";
    case "not-a-file":
      return "is no file";
    case "too-large":
      return "too large";
  }
}

/** Whose the file is: Linux keeps no record of who wrote to it. Ours are known by the operation, or rule of the guard, that made them. */
export function whoOf(
  version: Pick<FileVersionRecord, "owner" | "ownerName" | "acceptedBy">,
): string | null {
  if (/^(operation |guard\/)/.test(version.acceptedBy ?? "")) {
    return `Castellan, ${version.acceptedBy}`;
  }
  if (version.owner === null) return null;
  const uid = version.owner.split(":", 1)[0] ?? version.owner;
  return version.ownerName === null ? `uid ${uid}` : `uid ${uid} (${version.ownerName})`;
}

type Side = Pick<FileVersionRecord, "hash" | "mode" | "owner" | "maskedText"> & {
  readonly state?: FileVersionRecord["state"];
  readonly isCut?: boolean;
};

/** What differs, as lines for people: mode, owner, and the masked texts as `diff -u` prints them. */
export function diffLines(path: string, before: Side, after: Side): readonly string[] {
  return [...attributeLines(before, after), ...textLines(path, before, after)];
}

function attributeLines(before: Side, after: Side): readonly string[] {
  if (before.hash === null || after.hash === null) return [];
  const octal = (mode: number): string => mode.toString(8).padStart(4, "0");
  const { mode: a, owner: from } = before;
  const { mode: b, owner: to } = after;
  return [
    ...(a === null || b === null || a === b ? [] : [`mode ${octal(a)} became ${octal(b)}`]),
    ...(from === null || to === null || from === to ? [] : [`owner ${from} became ${to}`]),
  ];
}

function textLines(path: string, before: Side, after: Side): readonly string[] {
  if (before.hash === after.hash && (after.state ?? "present") === "present") return [];
  if (isUnread(before) || isUnread(after)) return ["there is no text to compare"];
  const isMissing = (side: Side): boolean => side.hash !== null && side.maskedText === null;
  if (before.isCut === true || after.isCut === true) {
    return ["its text is too long to be kept here; compare it on the host"];
  }
  if (isMissing(before) || isMissing(after)) {
    return ["its content is not shown: it holds secrets, or was never told"];
  }
  const diff = unifiedDiff(before.maskedText ?? "", after.maskedText ?? "", { path });
  if (diff !== "") return diff.trimEnd().split("\n");
  return before.hash === null || after.hash === null
    ? ["there is no text to compare"]
    : ["only secret values differ; they are not shown"];
}

/** There is something, and nobody knows what: its text is not empty. */
export function isUnread({ state }: Pick<Side, "state">): boolean {
  return state !== undefined && state !== "present" && state !== "absent";
}

export function baselineSide({ hash, mode, owner, maskedText }: BaselineRecord): Side {
  return { hash, mode, owner, maskedText };
}
