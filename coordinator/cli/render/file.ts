import { unreadHash } from "#shared/domain/facts.ts";
import { decodeUtf8 } from "#shared/config-files/text-file.ts";
import type {
  FileDiff,
  FileHistory,
  FileShown,
  FileVersionLine,
} from "../../api/drift-contract.ts";
import { renderTable } from "./table.ts";
import { renderTime } from "./units.ts";

/** The text alone goes to a file; where there is none it is said why. */
export function renderFile(file: FileShown): readonly string[] {
  if (file.maskedText !== null)
    return decodeUtf8(file.maskedText)
      .replace(/\r?\n$/, "")
      .split("\n");
  return [`${file.path} on ${file.node}, version ${file.version}: ${whyNoText(file)}`];
}

function whyNoText({ state, isCut }: FileVersionLine): string {
  if (isCut) return "its text is too long to be kept here.";
  if (state === "present") return "its text never leaves its host.";
  return state === "absent" ? "there was no such file." : `it could not be read (${state}).`;
}

export function renderHistory({ node, path, versions }: FileHistory): readonly string[] {
  const headings = ["VERSION", "SEEN", "CHANGED", "WHO", "MODE", "STATE", "SHA256", "ACCEPTED"];
  return [`${path} on ${node}`, ...renderTable(headings, versions.map(cells))];
}

function cells(version: FileVersionLine): readonly string[] {
  return [
    String(version.version),
    renderTime(version.seenAt),
    renderTime(version.modifiedAt),
    version.who ?? "-",
    version.mode === null ? "-" : version.mode.toString(8).padStart(4, "0"),
    version.state,
    version.hash === unreadHash ? "-" : (version.hash?.slice(0, 12) ?? "-"),
    version.acceptedAt === null ? "no" : `${renderTime(version.acceptedAt)} by ${version.acceptedBy ?? "?"}`, // prettier-ignore
  ];
}

export function renderFileDiff({ left, right, diff }: FileDiff): readonly string[] {
  const place = ({ node, path, version, seenAt }: FileVersionLine): string =>
    `${path} on ${node}, version ${version}, seen ${renderTime(seenAt)}`;
  if (left.hash === right.hash && diff.length === 0) {
    return [`Equal: ${place(left)}`, `       ${place(right)}`];
  }
  return [`- ${place(left)}`, `+ ${place(right)}`, ...diff.map(decodeUtf8)];
}
