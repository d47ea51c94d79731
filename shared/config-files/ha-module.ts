import { haModuleKey } from "./ha-module-keys.ts";
import { readShellValue, type ShellWord } from "./shell-value.ts";
import { type Complaint, type Line, splitLines } from "./text-file.ts";

/**
 * HAmodule.conf, read by the vendor's rules (public vendor scripts, build B0290): line by line with the shell's `read`,
 * cut at the first `#` even inside quotes, split at the first `=`, then evaluated as shell. We evaluate nothing: what
 * isn't literal is reported.
 */
export type HaModule = {
  readonly file: string;
  readonly lines: readonly Line[];
  readonly assignments: readonly HaAssignment[];
  readonly complaints: readonly Complaint[];
};

export type HaAssignment = {
  readonly name: string;
  readonly value: HaValue;
  readonly line: number;
  readonly column: number;
  /** Offset of the value's text in the file. */
  readonly valueStart: number;
  /** Offset behind its last character that isn't blank. */
  readonly valueEnd: number;
};

type HaValue =
  | { readonly kind: "text"; readonly text: string }
  /** `words` have their offsets in the file. */
  | {
      readonly kind: "array";
      readonly values: readonly string[];
      readonly words: readonly ShellWord[];
      readonly closeAt: number;
    }
  /** The scripts would expand or run something: the value can't be known. */
  | { readonly kind: "unsafe"; readonly reason: string };

/** `KB_ALL_IP=(10.0.0.1 10.0.0.2)` gives an array, `DEV="ens33" # nic` the text `ens33`. */
export function parseHaModule(text: string, file = ""): HaModule {
  const lines = splitLines(text);
  const assignments: HaAssignment[] = [];
  const complaints: Complaint[] = [];
  const arrays = new Set<string>();
  for (const logical of logicalLines(lines)) {
    const { assignment, complaint } = readAssignment(logical, arrays);
    if (assignment !== null) assignments.push(assignment);
    if (assignment?.value.kind === "array") arrays.add(assignment.name);
    if (complaint !== null) {
      const { at, message, hint } = complaint;
      complaints.push({ file, line: logical.line.number, column: at + 1, message, hint });
    }
  }
  return { file, lines, assignments, complaints };
}

/** What the shell's `read` gives at once: it joins a line that ends in a backslash with the next one. */
type LogicalLine = {
  /** The first one. */
  readonly line: Line;
  /** Joined, the other backslashes still in it. */
  readonly content: string;
  readonly isJoined: boolean;
  readonly isTerminated: boolean;
};

function* logicalLines(lines: readonly Line[]): Generator<LogicalLine> {
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined) return;
    const pieces = [shellText(line)];
    let isTerminated = line.eol !== "";
    while (isTerminated && endsInBackslash(pieces.at(-1))) {
      pieces.push(pieces.pop()?.slice(0, -1) ?? "");
      index += 1;
      const next = lines[index];
      pieces.push(next === undefined ? "" : shellText(next));
      isTerminated = next !== undefined && next.eol !== "";
    }
    yield { line, content: pieces.join(""), isJoined: pieces.length > 1, isTerminated };
  }
}

type ReadAssignment = {
  readonly assignment: HaAssignment | null;
  readonly complaint: {
    readonly at: number;
    readonly message: string;
    readonly hint: string;
  } | null;
};

const nothing: ReadAssignment = { assignment: null, complaint: null };

const safeForm = 'Write KEY="value", KEY=number or KEY=(a b c), with none of $ ` \\ # in it.';

function readAssignment(logical: LogicalLine, arrays: ReadonlySet<string>): ReadAssignment {
  const { line, isJoined } = logical;
  const hasBackslash = isJoined || logical.content.includes("\\");
  const content = hasBackslash ? logical.content.replace(/\\([^])/g, "$1") : logical.content;
  const nameAt = content.search(/[^ \t]/);
  const hash = content.indexOf("#");
  // "read" drops the blanks at the line's end; those before a "#" stay.
  const code = hash === -1 ? trimBlanks(content) : content.slice(0, hash);
  if (nameAt === -1 || nameAt >= code.length) {
    if (!isJoined) return nothing;
    return ignored(0, "a backslash at its end joins this line with the next one", safeForm);
  }
  if (!logical.isTerminated) {
    const message = "the scripts ignore the last line because it has no newline";
    return ignored(nameAt, message, "End the last line with a newline.");
  }
  const equals = code.indexOf("=");
  const name = code.slice(nameAt, equals === -1 ? code.length : equals);
  if (name === "" || equals === code.length - 1) return nothing;

  const raw = trimBlanks(code.slice(equals + 1));
  const valueStart = line.start + equals + 1;
  const place = {
    line: line.number,
    column: nameAt + 1,
    valueStart,
    valueEnd: valueStart + raw.length,
  };
  const assigned = (value: HaValue): ReadAssignment => {
    return { assignment: { name, value, ...place }, complaint: null };
  };
  const unsafe = (at: number, reason: string): ReadAssignment => {
    const message = `${name} can't be read without running it: ${reason}`;
    const value: HaValue = { kind: "unsafe", reason };
    return { assignment: { name, value, ...place }, complaint: { at, message, hint: safeForm } };
  };
  if (equals === -1) return unsafe(nameAt, "the scripts take all of it for the name and the value");
  if (hasBackslash) return unsafe(nameAt, "backslashes are removed while the file is read");
  if (/^[A-Za-z_][A-Za-z0-9_]*[ \t]+$/.test(name)) {
    return ignored(nameAt, `${name.trim()} isn't set: a blank stands before "="`, safeForm);
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return unsafe(nameAt, "before = stands no plain name");
  if (raw.endsWith("\r")) {
    return unsafe(equals + raw.length, "the carriage return becomes part of the value");
  }
  const value = readShellValue(raw);
  switch (value.kind) {
    case "failing": {
      const cause = hash === -1 ? "" : ' ("#" cuts the line even inside quotes)';
      return ignored(equals + 1 + value.at, `${name} isn't set: ${value.reason}${cause}`, safeForm);
    }
    case "unsafe":
      return unsafe(equals + 1 + value.at, value.reason);
    case "text": {
      if (arrays.has(name))
        return unsafe(equals + 1, "it replaces only the first word of the list above");
      const text: HaValue = { kind: "text", text: value.word.value };
      if (haModuleKey.get(name)?.kind !== "array") return assigned(text);
      const hint = `Write ${name}=(a b c), without quotes.`;
      const complaint = { at: equals + 1, message: `${name} is no array`, hint };
      return { assignment: { name, value: text, ...place }, complaint };
    }
    case "array": {
      const words = value.words.map((word) => ({
        value: word.value,
        start: valueStart + word.start,
        end: valueStart + word.end,
      }));
      const closeAt = valueStart + value.closeAt;
      return assigned({ kind: "array", values: words.map((word) => word.value), words, closeAt });
    }
  }
}

/** The line has no effect: an earlier value stays. */
function ignored(at: number, message: string, hint: string): ReadAssignment {
  return { assignment: null, complaint: { at, message, hint } };
}

function trimBlanks(text: string): string {
  let end = text.length;
  while (text[end - 1] === " " || text[end - 1] === "\t") end -= 1;
  return text.slice(0, end);
}

/** The assignment that counts: the last one. */
export function haAssignment(module: HaModule, name: string): HaAssignment | null {
  return module.assignments.findLast((assignment) => assignment.name === name) ?? null;
}

/** Null when the key isn't set, is an array, or can't be known. */
export function haText(module: HaModule, name: string): string | null {
  const value = haAssignment(module, name)?.value;
  return value?.kind === "text" ? value.text : null;
}

/** Null when the key isn't set, is no array, or can't be known. */
export function haArray(module: HaModule, name: string): readonly string[] | null {
  const value = haAssignment(module, name)?.value;
  return value?.kind === "array" ? value.values : null;
}

/** For the shell a carriage return before the newline is content. */
export function shellText(line: Line): string {
  return line.eol === "\r\n" ? `${line.text}\r` : line.text;
}

/** An odd number of backslashes: an even number is escaped backslashes. */
export function endsInBackslash(text = ""): boolean {
  let count = 0;
  while (text[text.length - 1 - count] === "\\") count += 1;
  return count % 2 === 1;
}
