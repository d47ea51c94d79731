import type { FileFacts } from "#shared/domain/facts.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { HostEvent } from "../host-event.ts";

/** Alerts are one per cause: every change of the file refreshes the same one. */
function driftCause(path: string): string {
  return `file:${path}`;
}

/** Most of a diff that goes into an event; the whole file is in the facts. */
const diffCharacters = 64 * 1024;

export function driftEvent(
  file: FileFacts,
  accepted: { readonly hash: string | null; readonly text: string | null },
  at: number,
): HostEvent {
  return {
    at,
    kind: "file-changed",
    cause: driftCause(file.path),
    severity: "warning",
    summary: `${file.path} ${whatHappened(file, accepted.hash)}`,
    detail: detailOf(file, accepted),
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

function whatHappened(file: FileFacts, acceptedHash: string | null): string {
  switch (file.state) {
    case "present":
      return acceptedHash === null ? "has appeared" : "differs from its accepted content";
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

function detailOf(
  file: FileFacts,
  accepted: { readonly hash: string | null; readonly text: string | null },
): string {
  const changed =
    file.modifiedAt === null
      ? []
      : [`changed ${new Date(file.modifiedAt).toISOString()}, owner ${file.owner ?? "?"}`];
  return [...changed, diffOf(file, accepted)].join("\n");
}

function diffOf(
  file: FileFacts,
  accepted: { readonly hash: string | null; readonly text: string | null },
): string {
  if (file.state === "present" && file.maskedText === null) {
    return "its content is not shown: it holds secrets";
  }
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
