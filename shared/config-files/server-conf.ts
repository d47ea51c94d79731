import {
  appendLines,
  applyEdits,
  byteOrderMark,
  type Complaint,
  type Edit,
  type Line,
  removeLines,
  splitLines,
} from "./text-file.ts";
import {
  foldSettingName,
  isSettingName,
  quoteSetting,
  readSettingLine,
  type SettingDialect,
} from "./setting-line.ts";

/** kingbase.conf, postgresql.conf, their *.auto.conf, and every other file of the same grammar. */
export type ServerConf = {
  readonly file: string;
  readonly lines: readonly Line[];
  /** In file order, commented-out ones too: `effective` looks past those. */
  readonly entries: readonly SettingEntry[];
  readonly includes: readonly IncludeEntry[];
  /** The server refuses the whole file for any of these. */
  readonly complaints: readonly Complaint[];
};

export type SettingEntry = {
  readonly file: string;
  /** Lower case. */
  readonly name: string;
  /** Quotes and escapes resolved. */
  readonly value: string;
  /** The value as it stands in the file. */
  readonly raw: string;
  readonly line: number;
  readonly column: number;
  /** Offset of `raw` in the whole text. */
  readonly valueStart: number;
  /** `#name = value`, with any number of `#`: the product's scripts pile them up. */
  readonly commentedOut: boolean;
};

export type IncludeEntry = {
  readonly kind: "include" | "include_if_exists" | "include_dir";
  readonly path: string;
  readonly line: number;
  readonly column: number;
};

/** `port = 54321 # ours` gives an entry named `port` with value `54321` at line 1, column 1. */
export function parseServerConf(
  text: string,
  file = "",
  dialect: SettingDialect = "server",
): ServerConf {
  const lines = splitLines(text);
  const entries: SettingEntry[] = [];
  const includes: IncludeEntry[] = [];
  const complaints: Complaint[] = [];
  if (text.startsWith(byteOrderMark)) {
    complaints.push({
      file,
      line: 1,
      column: 1,
      message: "the file starts with a byte order mark, which becomes part of the first name",
      hint: "Save it without a byte order mark.",
    });
  }
  for (const line of lines) {
    const content = line.text;
    const commented = afterHashes(content);
    const read = readSettingLine(content, commented ?? 0, dialect);
    if (read.kind === "setting") {
      // Prose in a comment reads like a setting unless it has its "=".
      if (commented !== null && !read.hasEquals) continue;
      const name = foldSettingName(read.name);
      const place = { line: line.number, column: read.nameAt + 1 };
      if (name === "include" || name === "include_if_exists" || name === "include_dir") {
        if (commented === null) includes.push({ kind: name, path: read.value, ...place });
        continue;
      }
      entries.push({
        file,
        name,
        value: read.value,
        raw: content.slice(read.valueStart, read.valueEnd),
        ...place,
        valueStart: line.start + read.valueStart,
        commentedOut: commented !== null,
      });
      if (read.readsAsName && commented === null) {
        complaints.push({
          file,
          line: line.number,
          column: read.valueStart + 1,
          message: `the value of ${name} must stand in single quotes`,
          hint: `Write '${read.value}'.`,
        });
      }
    } else if (read.kind === "broken" && commented === null) {
      complaints.push({
        file,
        line: line.number,
        column: read.at + 1,
        message: read.message,
        hint: "Write NAME = 'value'.",
      });
    }
  }
  return { file, lines, entries, includes, complaints };
}

/** Where the content after leading `#` and blanks begins; null when the line isn't a comment. */
function afterHashes(line: string): number | null {
  let at = 0;
  let seen = false;
  for (; at < line.length; at += 1) {
    const char = line[at];
    if (char === "#") seen = true;
    else if (char !== " " && char !== "\t") break;
  }
  return seen ? at : null;
}

/** What the file itself says, by lower-case name: the last setting wins. `server-conf-files.ts` follows its includes. */
export function effective(conf: ServerConf): ReadonlyMap<string, SettingEntry> {
  return overlay([conf]);
}

/** Later files win: `overlay([main, auto])`. */
export function overlay(confs: readonly ServerConf[]): ReadonlyMap<string, SettingEntry> {
  const values = new Map<string, SettingEntry>();
  for (const entry of confs.flatMap((conf) => conf.entries)) {
    if (!entry.commentedOut) values.set(entry.name, entry);
  }
  return values;
}

/**
 * Changes the value in the line that counts (the last one), keeping everything around it; without such a line
 * `name = value` is appended, as the product's installers do. A setting that an include or *.auto.conf overrules
 * afterwards is not this function's business.
 */
export function setParameter(text: string, name: string, value: string): string {
  assertSettingName(name);
  if (value.includes("\0")) throw new RangeError(`a NUL byte can't stand in the value of ${name}`);
  const entry = effective(parseServerConf(text)).get(foldSettingName(name));
  if (entry === undefined) return appendLines(text, [`${name} = ${quoteValue(value)}`]);
  if (entry.value === value) return text;
  const raw = quoteSetting(value, entry.raw.startsWith("'"));
  const end = entry.valueStart + entry.raw.length;
  // `port+5` is a name and its value to the server, `port6` is a name.
  const isTight = /[^\s=]/.test(text.charAt(entry.valueStart - 1)) && !raw.startsWith("'");
  return applyEdits(text, [{ start: entry.valueStart, end, text: isTight ? ` ${raw}` : raw }]);
}

/** Takes out every active line of that name; commented lines stay. */
export function removeParameter(text: string, name: string): string {
  const lines = activeEntries(text, name).map((entry) => entry.line);
  return removeLines(text, new Set(lines));
}

/** Puts one `#` before the name in every active line of it. */
export function commentParameter(text: string, name: string): string {
  const conf = parseServerConf(text);
  const edits: Edit[] = [];
  for (const entry of activeEntries(text, name)) {
    const line = conf.lines[entry.line - 1];
    if (line === undefined) continue;
    const at = line.start + entry.column - 1;
    edits.push({ start: at, end: at, text: "#" });
  }
  return applyEdits(text, edits);
}

/** `a b` gives `'a b'`; what needs no quotes gets none. */
export function quoteValue(value: string): string {
  return quoteSetting(value);
}

function activeEntries(text: string, name: string): readonly SettingEntry[] {
  const wanted = foldSettingName(name);
  return parseServerConf(text).entries.filter((e) => !e.commentedOut && e.name === wanted);
}

function assertSettingName(name: string): void {
  if (!isSettingName(name) || /^include(?:_dir|_if_exists)?$/i.test(name)) {
    throw new RangeError(`${JSON.stringify(name)} is no setting name`);
  }
}
