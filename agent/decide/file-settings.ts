import { compareSetting } from "#shared/config-files/setting-value.ts";
import { printSettingNumber, readSettingNumber } from "#shared/config-files/setting-number.ts";
import type { FileSetting } from "#shared/domain/facts.ts";

/** A line of the server's files, as pg_file_settings reads them now. */
export type SettingLine = {
  /** null: the line can't be read at all. */
  readonly name: string | null;
  readonly file: string;
  readonly line: number;
  /** Later ones win. */
  readonly order: number;
  readonly value: string | null;
  readonly error: string | null;
};

/** What the running server has, as pg_settings shows it. */
export type RunningSetting = {
  readonly name: string;
  readonly value: string | null;
  readonly unit: string | null;
  readonly vartype: string;
  readonly context: string;
  readonly source: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly least: string | null;
  readonly most: string | null;
  readonly waitsForRestart: boolean;
};

/** Where a value may come from that a file could still change; others are of our own session, or of the server itself. */
const fromFiles: ReadonlySet<string> = new Set([
  "configuration file",
  "default",
  "environment variable",
]);

const mostSettings = 200;

/** What stands in the files and is not in force, and what is in force and stands there no more. */
export function settingsNotInForce(
  lines: readonly SettingLine[],
  running: readonly RunningSetting[],
  versionNumber: number,
): readonly FileSetting[] {
  const byName = new Map(running.map((setting) => [setting.name.toLowerCase(), setting]));
  const winners = new Map<string, SettingLine>();
  for (const line of lines.toSorted((a, b) => a.order - b.order)) {
    if (line.name !== null) winners.set(line.name.toLowerCase(), line);
  }
  const found = [
    ...lines.flatMap((line) => {
      const name = line.name?.toLowerCase();
      const winner = name === undefined ? line : (winners.get(name) ?? line);
      const setting = name === undefined ? undefined : byName.get(name);
      const state = stateOf(line, winner, setting, versionNumber);
      return state === null ? [] : [toFact(line, setting, state)];
    }),
    ...running.filter(({ name }) => !winners.has(name.toLowerCase())).flatMap(takenOut),
  ];
  return found.slice(0, mostSettings);
}

function stateOf(
  line: SettingLine,
  winner: SettingLine,
  setting: RunningSetting | undefined,
  versionNumber: number,
): FileSetting["state"] | null {
  if (line.name === null) return "broken";
  const same = line.value === null ? "unreadable" : compare(line.value, setting, versionNumber);
  if (line !== winner) {
    // A value that is repeated, or overruled in the file itself, is plain to whoever reads the file.
    const isOverruled = line.file !== winner.file && line.value !== winner.value;
    return line.error === null && isOverruled && same !== "same" ? "overruled" : null;
  }
  if (line.error !== null) {
    // The server says the same of what waits for a restart and of what it would never take (PostgreSQL's guc-file.l).
    return setting?.context === "postmaster" && same === "different" ? "waits-for-restart" : "broken"; // prettier-ignore
  }
  if (setting === undefined || same === "same") return null;
  if (setting.source === "command line") return "overruled";
  if (setting.waitsForRestart) return "waits-for-restart";
  return fromFiles.has(setting.source) ? "waits-for-reload" : null;
}

function compare(
  value: string,
  setting: RunningSetting | undefined,
  versionNumber: number,
): "same" | "different" | "unreadable" {
  if (setting === undefined || setting.value === null) return "same";
  const { name, unit, vartype, least, most } = setting;
  if (!isVartype(vartype)) return value === setting.value ? "same" : "different";
  const kind = { name, vartype, unit, versionNumber };
  const verdict = compareSetting(value, setting.value, kind);
  if (verdict !== "different" || (vartype !== "integer" && vartype !== "real")) return verdict;
  const number = readSettingNumber(value, { vartype, unit, versionNumber });
  const isAllowed =
    number !== null &&
    (least === null || number >= Number(least)) &&
    (most === null || number <= Number(most));
  return isAllowed ? "different" : "unreadable";
}

function isVartype(text: string): text is "bool" | "integer" | "real" | "string" | "enum" {
  return ["bool", "integer", "real", "string", "enum"].includes(text);
}

function toFact(
  line: SettingLine,
  setting: RunningSetting | undefined,
  state: FileSetting["state"],
): FileSetting {
  return {
    name: line.name ?? "unreadable-line",
    file: line.file,
    line: line.line,
    inFile: line.value,
    inForce: setting === undefined ? null : shown(setting),
    state,
  };
}

/** Its line is gone from the files, and the server goes on with what it said. */
function takenOut(setting: RunningSetting): readonly FileSetting[] {
  const { name, file, line, context, source, waitsForRestart } = setting;
  if (source !== "configuration file" || file === null) return [];
  const state = waitsForRestart || context === "postmaster" ? "waits-for-restart" : "waits-for-reload"; // prettier-ignore
  return [{ name, file, line: line ?? 1, inFile: null, inForce: shown(setting), state }];
}

/** As a person would write it. */
function shown({ value, unit }: RunningSetting): string | null {
  return value === null ? null : printSettingNumber(value, unit);
}
