import type { FileFacts } from "#shared/domain/facts.ts";
import { passwordFileHarm } from "#shared/config-files/password-file.ts";
import { newComplaints } from "#shared/config-files/file-complaints.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { Baseline } from "#shared/protocol/messages.ts";
import type { HostEvent } from "../host-event.ts";

/** Alerts are one per cause: every change of the file refreshes the same one. */
function driftCause(path: string): string {
  return `file:${path}`;
}

/** What a file is compared with; `text` is null where this agent never saw it, or it never leaves the host. */
export type Accepted = Omit<Baseline, "path"> & { readonly text: string | null };

/** Most of a diff that goes into an event; the whole file is in the facts. */
const diffCharacters = 64 * 1024;
const mostComplaints = 5;

/** `overruled`: what the change wrote without effect. */
export function driftEvent(
  file: FileFacts,
  accepted: Accepted,
  overruled: readonly string[],
  at: number,
): HostEvent {
  const diff = diffOf(file, accepted);
  return {
    at,
    kind: "file-changed",
    cause: driftCause(file.path),
    severity: "warning",
    summary: `${file.path} ${whatHappened(file, accepted)}`,
    detail: [
      ...changed(file),
      ...attributes(file, accepted),
      passwordFileHarm(file, accepted.owner ?? null) ?? "",
      ...complaints(file, accepted),
      ...overruled,
      diff,
    ]
      .filter((line) => line !== "")
      .join("\n"),
    file: file.path,
    line: firstLine(diff),
    who: who(file),
  };
}

export function acceptedEvent(path: string, at: number): HostEvent {
  return {
    at,
    kind: "file-changed",
    cause: driftCause(path),
    severity: "info",
    summary: `${path} is back to its accepted content`,
    detail: "",
  };
}

function whatHappened(file: FileFacts, accepted: Accepted): string {
  switch (file.state) {
    case "present":
      if (accepted.hash === null) return "has appeared";
      return file.hash === accepted.hash
        ? "has another mode or owner than accepted"
        : "differs from its accepted content";
    case "absent":
      return "is gone";
    case "unreadable":
      return "can't be read any more";
    case "not-a-file":
      return "is no file any more";
    case "too-large":
      return "has become too large to be watched";
  }
}

/** Linux tells whose a file is, not who wrote to it: after an editor's save that is the same. */
function who({ owner, ownerName }: FileFacts): string | null {
  if (owner === null) return null;
  const uid = owner.split(":", 1)[0] ?? owner;
  return ownerName == null ? `uid ${uid}` : `uid ${uid} (${ownerName})`;
}

function changed(file: FileFacts): readonly string[] {
  return file.modifiedAt === null
    ? []
    : [`changed ${new Date(file.modifiedAt).toISOString()}, owner ${file.owner ?? "?"}`];
}

function attributes(file: FileFacts, { hash, mode, owner }: Accepted): readonly string[] {
  if (file.state !== "present" || hash === null) return [];
  const lines: string[] = [];
  if (mode != null && file.mode !== null && file.mode !== mode) {
    lines.push(`mode ${octal(mode)} became ${octal(file.mode)}`);
  }
  if (owner != null && file.owner !== null && file.owner !== owner) {
    lines.push(`owner ${owner} became ${file.owner}`);
  }
  return lines;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** Where it can't be parsed any more; whoever wrote it is to be told the place. */
function complaints(file: FileFacts, accepted: Accepted): readonly string[] {
  const found = newComplaints(file, accepted.text);
  return found
    .slice(0, mostComplaints)
    .map(({ line, column, message }) => `${file.path}:${line}:${column}: ${message}`);
}

function diffOf(file: FileFacts, accepted: Accepted): string {
  if (file.state === "present" && file.hash === accepted.hash) return "";
  if (file.format === "pass") return "its content is never read: it holds passwords";
  // Something is there, and nobody knows what: its text is not empty.
  if (file.state !== "present" && file.state !== "absent")
    return "there is nothing to compare with";
  if (accepted.hash !== null && accepted.text === null) {
    return "no diff: this agent never saw the accepted content";
  }
  const diff = unifiedDiff(accepted.text ?? "", file.maskedText ?? "", { path: file.path });
  if (diff === "") {
    return file.state === "present"
      ? "only secret values differ; they are not shown"
      : "there is nothing to compare with";
  }
  return diff.length <= diffCharacters
    ? diff
    : `${diff.slice(0, diffCharacters)}\n… cut after ${diffCharacters} characters`;
}

/** Of the file as it is now, the first line that differs; null without a diff. */
function firstLine(diff: string): number | null {
  const lines = diff.split("\n");
  const head = lines.findIndex((line) => line.startsWith("@@ "));
  const start = /^@@ -\S+ \+(\d+)/.exec(lines[head] ?? "")?.[1];
  if (start === undefined) return null;
  const context = lines.slice(head + 1).findIndex((line) => !line.startsWith(" "));
  return Math.max(1, Number(start) + Math.max(0, context));
}
