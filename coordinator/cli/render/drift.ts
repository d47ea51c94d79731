import { type Complaint, decodeUtf8 } from "#shared/config-files/text-file.ts";
import type {
  DriftAccepted,
  DriftAnswer,
  DriftItem,
  DriftShown,
  RuleBreach,
} from "../../api/drift-contract.ts";
import type { FileSetting } from "#shared/domain/facts.ts";
import { bySeverity } from "./severity.ts";
import { indent, renderTable } from "./table.ts";
import { renderTime } from "./units.ts";

/** Everything that is not as accepted, or not in force, or breaks a rule. */
export function renderDrift({ files, settings, breaches, away }: DriftAnswer): readonly string[] {
  const parts = [
    files.length === 0
      ? ["Every watched file is as accepted."]
      : renderTable(["NODE", "WHAT", "SINCE", "FILE"], files.map(cells)),
    settings.length === 0
      ? []
      : [
          "Settings that are not in force",
          ...settings.flatMap((setting) => [
            `  ${setting.node}: ${settingText(setting)}`,
            `    ${setting.file}:${setting.line}`,
          ]),
        ],
    breaches.length === 0 ? [] : ["Broken rules", ...indent(breachLines(breaches), "  ")],
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
    item.isBroken ? "can't be parsed" : item.what,
    renderTime(item.modifiedAt ?? item.seenAt),
    item.path,
  ];
}

/** The worst first. */
function breachLines(breaches: readonly RuleBreach[]): readonly string[] {
  return bySeverity(breaches).map(
    ({ id, rule, severity, summary }) =>
      `${severity.padEnd(8)}  ${rule}: ${summary}  [alert ${id}]`,
  );
}

function settingText({ name, inFile, inForce, state }: FileSetting): string {
  const there = inFile === null ? "taken out of the file" : `'${inFile}' in the file`;
  const values = `${there}, ${inForce === null ? "nothing" : `'${inForce}'`} in force`;
  switch (state) {
    case "waits-for-reload":
      return `${name} waits for a reload: ${values}`;
    case "waits-for-restart":
      return `${name} waits for a restart: ${values}`;
    case "overruled":
      return `${name} is overruled: ${values}`;
    case "broken":
      return `${name} is refused by the server: '${inFile ?? ""}'`;
  }
}

export function renderDriftShown(shown: DriftShown): readonly string[] {
  const { node, path, what, modifiedAt, seenAt, who, acceptedAt, acceptedBy } = shown;
  return [
    `${path} on ${node}: ${what}`,
    `  changed   ${renderTime(modifiedAt)}, seen ${renderTime(seenAt)}, ${who === null ? "nobody can tell by whom" : `owner ${who}`}`,
    `  accepted  ${renderTime(acceptedAt)} by ${acceptedBy}`,
    ...(shown.inForce === null ? [] : [`  in force  ${shown.inForce}`]),
    ...(shown.isAway ? [`  agent     away: this is what it told last`] : []),
    ...section("Can't be parsed", shown.complaints.filter((c) => c.isDoubt !== true).map(complaintText)), // prettier-ignore
    ...section("Look twice", shown.complaints.filter((c) => c.isDoubt === true).map(complaintText)),
    ...section("It means", shown.changes),
    ...section(
      "Not in force",
      shown.settings.map((s) => `line ${s.line}: ${settingText(s)}`),
    ),
    ...section("Broken rules", breachLines(shown.breaches)),
    "",
    ...shown.diff.map(decodeUtf8),
    "",
    ...whatToType(shown),
  ];
}

function whatToType({ node, path, state, shown }: DriftShown): readonly string[] {
  if (state !== "present" && state !== "absent") {
    return [`It can be neither accepted nor put back: on ${node}, make it a readable file again, or move it away.`]; // prettier-ignore
  }
  const words = `${node} ${path} --hash ${shown}`;
  return [
    `Hash ${shown}. Type`,
    `  castellan drift accept ${words}`,
    "      to take it for right",
    `  castellan drift revert ${words}`,
    "      to put back what was accepted",
  ];
}

function complaintText({ line, column, message, hint }: Complaint): string {
  return `${line}:${column}: ${message}. ${hint}`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", title, ...indent(lines.map(decodeUtf8), "  ")];
}

export function renderAccepted({ node, path, acceptedBy, diff }: DriftAccepted): readonly string[] {
  return [`${path} on ${node} is accepted by ${acceptedBy}:`, ...diff.map(decodeUtf8)];
}
