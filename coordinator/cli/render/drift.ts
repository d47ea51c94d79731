import { decodeUtf8 } from "#shared/config-files/text-file.ts";
import type {
  DriftAccepted,
  DriftAnswer,
  DriftItem,
  DriftShown,
} from "../../api/drift-contract.ts";
import type { FileSetting } from "#shared/domain/facts.ts";
import { indent, renderTable } from "./table.ts";
import { renderTime } from "./units.ts";

/** Everything that is not as accepted, or not in force, or breaks a rule. */
export function renderDrift({ files, settings, breaches, away }: DriftAnswer): readonly string[] {
  const parts = [
    files.length === 0
      ? ["Every watched file is as accepted."]
      : renderTable(["NODE", "FILE", "WHAT", "SINCE", "WHO", "HASH"], files.map(cells)),
    settings.length === 0
      ? []
      : [
          "Settings that are not in force",
          ...settings.map((setting) => `  ${setting.node}: ${settingText(setting)}`),
        ],
    breaches.length === 0
      ? []
      : [
          "Broken rules",
          ...breaches.map(({ id, rule, summary }) => `  ${rule}: ${summary}  [alert ${id}]`),
        ],
    away.length === 0
      ? []
      : [`No agent is connected from ${away.join(", ")}: theirs is what they told last.`],
    files.length === 0 ? [] : ["What differs: castellan drift show NODE FILE"],
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

function cells(item: DriftItem): readonly string[] {
  return [
    item.node,
    item.path,
    item.isBroken ? `${item.what}, can't be parsed` : item.what,
    renderTime(item.modifiedAt ?? item.seenAt),
    item.who ?? "-",
    item.shown,
  ];
}

function settingText({ name, file, line, inFile, inForce, state }: FileSetting): string {
  const place = `${file}:${line}`;
  const values = `${inFile === null ? "taken out" : `'${inFile}'`} there, ${inForce === null ? "nothing" : `'${inForce}'`} in force`; // prettier-ignore
  switch (state) {
    case "waits-for-reload":
      return `${name} waits for a reload (${place}: ${values})`;
    case "waits-for-restart":
      return `${name} waits for a restart (${place}: ${values})`;
    case "overruled":
      return `${name} is overruled (${place}: ${values})`;
    case "broken":
      return `${name} is refused by the server (${place}: '${inFile ?? ""}')`;
  }
}

export function renderDriftShown(shown: DriftShown): readonly string[] {
  const { node, path, what, modifiedAt, seenAt, who, acceptedAt, acceptedBy } = shown;
  return [
    `${path} on ${node}: ${what}`,
    `  changed   ${renderTime(modifiedAt)}, seen ${renderTime(seenAt)}, ${who === null ? "nobody can tell by whom" : `owner ${who}`}`,
    `  accepted  ${renderTime(acceptedAt)} by ${acceptedBy}`,
    ...(shown.inForce === null ? [] : [`  in force  ${shown.inForce}`]),
    ...section("Can't be parsed", shown.complaints.map((c) => `${c.line}:${c.column}: ${c.message}. ${c.hint}`)), // prettier-ignore
    ...section("It means", shown.changes),
    ...section("Not in force", shown.settings.map(settingText)),
    "",
    ...shown.diff.map(decodeUtf8),
    "",
    `Hash ${shown.shown}`,
    `  to take it for right: castellan drift accept ${node} ${path} --hash ${shown.shown}`,
    `  to put it back:       castellan drift revert ${node} ${path} --hash ${shown.shown}`,
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", title, ...indent(lines.map(decodeUtf8), "  ")];
}

export function renderAccepted({ node, path, acceptedBy, diff }: DriftAccepted): readonly string[] {
  return [`${path} on ${node} is accepted by ${acceptedBy}:`, ...diff.map(decodeUtf8)];
}
