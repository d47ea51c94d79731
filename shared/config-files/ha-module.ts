import { haModuleKey } from "./ha-module-keys.ts";
import { readShellValue, type ShellWord } from "./shell-value.ts";
import { type Complaint, type Line, printLines, splitLines } from "./text-file.ts";

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

export type HaValue =
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
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined) break;
    const complain = (at: number, message: string, hint: string): void => {
      complaints.push({ file, line: line.number, column: at + 1, message, hint });
    };
    const content = shellLine(line);
    const nameAt = content.search(/[^ \t]/);
    if (nameAt === -1) continue;
    // The shell's `read` joins a line that ends in a backslash with the next one.
    let joined = content;
    let lastIndex = index;
    while (endsInBackslash(joined) && lastIndex + 1 < lines.length) {
      lastIndex += 1;
      const next = lines[lastIndex];
      joined = next === undefined ? "" : shellLine(next);
    }
    const continued = lastIndex > index || endsInBackslash(joined);
    const terminated = lines[lastIndex]?.eol !== "" && !endsInBackslash(joined);
    index = lastIndex;

    const hash = content.indexOf("#");
    const code = (hash === -1 ? content : content.slice(0, hash)).replace(/[ \t]+$/, "");
    if (code.trim() === "") {
      if (continued)
        complain(nameAt, "the comment swallows the next line", 'Remove the last "\\".');
      continue;
    }
    if (!terminated) {
      const hint = "End the last line with a newline.";
      complain(nameAt, "the scripts ignore the last line because it has no newline", hint);
      continue;
    }
    const equals = code.indexOf("=");
    if (equals === -1) {
      complain(nameAt, "this is no assignment and is ignored", "Write KEY=value.");
      continue;
    }
    const name = code.slice(nameAt, equals);
    const raw = code.slice(equals + 1);
    if (name === "" || raw === "") continue;
    const place = { name, line: line.number, column: nameAt + 1 };
    const valueStart = line.start + equals + 1;
    const span = { valueStart, valueEnd: valueStart + raw.length };
    const addUnsafe = (at: number, reason: string): void => {
      complain(at, `${name} can't be read without running it: ${reason}`, safeForm);
      assignments.push({ ...place, ...span, value: { kind: "unsafe", reason } });
    };
    if (continued || code.includes("\\")) {
      addUnsafe(code.indexOf("\\"), "backslashes are removed while the file is read");
      continue;
    }
    if (/^[A-Za-z_][A-Za-z0-9_]*[ \t]+$/.test(name)) {
      complain(nameAt, `${name.trim()} isn't set: a blank stands before "="`, safeForm);
      continue;
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      addUnsafe(nameAt, "the part before = is no plain name");
      continue;
    }
    if (raw.endsWith("\r")) {
      addUnsafe(code.length - 1, "the carriage return becomes part of the value");
      continue;
    }
    const value = readShellValue(raw);
    switch (value.kind) {
      case "failing": {
        const cause = hash === -1 ? "" : ' ("#" cuts the line even inside quotes)';
        complain(equals + 1 + value.at, `${name} isn't set: ${value.reason}${cause}`, safeForm);
        break;
      }
      case "unsafe":
        addUnsafe(equals + 1 + value.at, value.reason);
        break;
      case "text":
        if (haModuleKey.get(name)?.kind === "array") {
          complain(equals + 1, `${name} is no array`, `Write ${name}=(a b c), without quotes.`);
        }
        assignments.push({ ...place, ...span, value: { kind: "text", text: value.word.value } });
        break;
      case "array": {
        const words = value.words.map((word) => ({
          value: word.value,
          start: valueStart + word.start,
          end: valueStart + word.end,
        }));
        const values = words.map((word) => word.value);
        const closeAt = valueStart + value.closeAt;
        assignments.push({ ...place, ...span, value: { kind: "array", values, words, closeAt } });
        break;
      }
    }
  }
  return { file, lines, assignments, complaints };
}

const safeForm = 'Write KEY="value", KEY=number or KEY=(a b c), with none of $ ` \\ # in it.';

export function printHaModuleText(module: HaModule): string {
  return printLines(module.lines);
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
function shellLine(line: Line): string {
  return line.eol === "\r\n" ? `${line.text}\r` : line.text;
}

/** An odd number of backslashes: an even number is escaped backslashes. */
export function endsInBackslash(text: string): boolean {
  let count = 0;
  while (text[text.length - 1 - count] === "\\") count += 1;
  return count % 2 === 1;
}
