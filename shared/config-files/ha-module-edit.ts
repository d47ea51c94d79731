import { endsInBackslash, haAssignment, parseHaModule, shellText } from "./ha-module.ts";
import { haModuleKeys } from "./ha-module-keys.ts";
import { isPlainText, isPlainWord } from "./shell-value.ts";
import { applyEdits, splitLines } from "./text-file.ts";

/**
 * Sets `NAME="value"` (a bare number stays bare) in the line that counts, or adds the line. A key that is a list is
 * refused: the shell would replace its first word only.
 */
export function setScalar(text: string, name: string, value: string): string {
  assertName(name);
  const module = parseHaModule(text);
  const list = module.assignments.find((a) => a.name === name && a.value.kind === "array");
  if (list !== undefined) throw new RangeError(`${name} in line ${list.line} is a list`);
  const current = haAssignment(module, name);
  if (current === null || current.value.kind === "unsafe") {
    return insertAssignment(text, `${name}=${quoteScalar(name, value)}`);
  }
  if (current.value.kind === "text" && current.value.text === value) return text;
  const old = text.slice(current.valueStart, current.valueEnd);
  const bare = /^[0-9]+$/.test(old) && /^[0-9]+$/.test(value);
  const printed = bare ? value : quoteScalar(name, value);
  return applyEdits(text, [{ start: current.valueStart, end: current.valueEnd, text: printed }]);
}

/** Sets `NAME=(a b c)`. */
export function setArray(text: string, name: string, values: readonly string[]): string {
  assertName(name);
  const printed = printArray(name, values);
  const current = haAssignment(parseHaModule(text), name);
  if (current === null || current.value.kind === "unsafe") {
    return insertAssignment(text, `${name}=${printed}`);
  }
  if (current.value.kind === "array" && isSame(current.value.values, values)) return text;
  return applyEdits(text, [{ start: current.valueStart, end: current.valueEnd, text: printed }]);
}

/** Adds the value at the array's end unless it is in it; a key that isn't set becomes an array of one. */
export function appendToArray(text: string, name: string, value: string): string {
  assertName(name);
  const array = arrayToEdit(text, name);
  if (array === null) return setArray(text, name, [value]);
  if (array.values.includes(value)) return text;
  const word = printWord(name, value);
  const last = array.words.at(-1);
  const at = last?.end ?? array.closeAt;
  return applyEdits(text, [{ start: at, end: at, text: last === undefined ? word : ` ${word}` }]);
}

/** Takes every occurrence of the value out of the array, with the blanks before it. */
export function removeFromArray(text: string, name: string, value: string): string {
  const array = arrayToEdit(text, name);
  if (array === null) return text;
  const edits = array.words.flatMap((word, index) => {
    if (word.value !== value) return [];
    const previous = array.words[index - 1];
    if (previous !== undefined) return [{ start: previous.end, end: word.end, text: "" }];
    const next = array.words[index + 1];
    // When the next word goes as well, its own edit takes the blanks between.
    const end = next === undefined || next.value === value ? word.end : next.start;
    return [{ start: word.start, end, text: "" }];
  });
  return applyEdits(text, edits);
}

export type HaModuleValues = Readonly<Record<string, string | readonly string[]>>;

/** A whole file from a model, in the order the vendor's installer has; keys that it doesn't know come last. */
export function printHaModule(values: HaModuleValues): string {
  const known = haModuleKeys.filter((key) => key.name in values).map((key) => key.name);
  const others = Object.keys(values).filter((name) => !known.includes(name));
  const numbers = new Set(haModuleKeys.filter((k) => k.kind === "number").map((k) => k.name));
  const lines = [...known, ...others].map((name) => {
    assertName(name);
    const value = values[name] ?? "";
    if (typeof value !== "string") return `${name}=${printArray(name, value)}\n`;
    const bare = numbers.has(name) && /^[0-9]+$/.test(value);
    // A cluster may have no virtual address: the file that the model comes from says so with an empty value.
    if (value === "") return `${name}=""\n`;
    return `${name}=${bare ? value : quoteScalar(name, value)}\n`;
  });
  return lines.join("");
}

function arrayToEdit(text: string, name: string) {
  const current = haAssignment(parseHaModule(text), name);
  if (current === null) return null;
  if (current.value.kind !== "array") {
    throw new RangeError(`${name} in line ${current.line} is no plain array: set it as a whole`);
  }
  return current.value;
}

/**
 * At the end, but before a last line that the scripts ignore for its missing newline (or that a backslash continues):
 * after it, our newline would bring that line to life.
 */
function insertAssignment(text: string, assignment: string): string {
  // Never CRLF: the scripts would take the carriage return for a part of the value.
  const line = `${assignment}\n`;
  const lines = splitLines(text);
  let index = lines.length - 1;
  const last = lines[index];
  if (last === undefined || (last.eol !== "" && !endsInBackslash(shellText(last)))) {
    return text + line;
  }
  for (let previous = lines[index - 1]; previous !== undefined; previous = lines[index - 1]) {
    if (!endsInBackslash(shellText(previous))) break;
    index -= 1;
  }
  const at = lines[index]?.start ?? 0;
  return applyEdits(text, [{ start: at, end: at, text: line }]);
}

function quoteScalar(name: string, value: string): string {
  if (!isPlainText(value)) throw unwritable(name, value);
  return `"${value}"`;
}

function printArray(name: string, values: readonly string[]): string {
  return `(${values.map((value) => printWord(name, value)).join(" ")})`;
}

function printWord(name: string, value: string): string {
  if (!isPlainWord(value)) throw unwritable(name, value);
  return value;
}

function assertName(name: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new RangeError(`${name} is no key name`);
}

/** The value isn't repeated: it may be a password. */
function unwritable(name: string, value: string): RangeError {
  const found = value === "" ? "an empty value" : "a character with a meaning for the shell";
  return new RangeError(`${name} can't be written to HAmodule.conf: it has ${found}`);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
