/** A word of a value: its meaning, and where it stands (offsets in the value's text). */
export type ShellWord = { readonly value: string; readonly start: number; readonly end: number };

/**
 * What the shell would make of the right side of an assignment, without ever running one:
 * - `text` and `array`: literal, the same for everyone;
 * - `unsafe`: the shell would expand or run something, so nobody can say what the value is;
 * - `failing`: a syntax error; the assignment doesn't happen and an earlier value stays.
 */
export type ShellValue =
  | { readonly kind: "text"; readonly word: ShellWord }
  | { readonly kind: "array"; readonly words: readonly ShellWord[]; readonly closeAt: number }
  | { readonly kind: "unsafe"; readonly at: number; readonly reason: string }
  | { readonly kind: "failing"; readonly at: number; readonly reason: string };

/**
 * `"a b"` is text, `(a "b c")` is an array of two words, `$(id)` is unsafe, `"a` is failing. The scripts hand the
 * line to the shell without quotes around it: of several blanks one is left, even inside quotes.
 */
export function readShellValue(text: string): ShellValue {
  const start = skipBlanks(text, 0);
  if (start > 0) return { kind: "unsafe", at: 0, reason: "the shell would run it as a command" };
  if (text[start] !== "(") {
    const read = readWord(text, start);
    if (read.kind !== "word") return read;
    const rest = skipBlanks(text, read.word.end);
    if (rest === text.length) return { kind: "text", word: read.word };
    return { kind: "unsafe", at: rest, reason: "the shell would run what follows as a command" };
  }
  const words: ShellWord[] = [];
  let at = skipBlanks(text, start + 1);
  while (text[at] !== ")") {
    if (at >= text.length) return { kind: "failing", at: start, reason: 'a ")" is missing' };
    const read = readWord(text, at);
    if (read.kind !== "word") return read;
    words.push(read.word);
    at = skipBlanks(text, read.word.end);
  }
  const rest = skipBlanks(text, at + 1);
  if (rest === text.length) return { kind: "array", words, closeAt: at };
  return { kind: "unsafe", at: rest, reason: "something follows the array" };
}

/** Whether the value can be written between double quotes so that every reader understands the same. */
export function isPlainText(value: string): boolean {
  if (value === "" || /["$`\\#\u007f]|  /.test(value)) return false;
  for (let index = 0; index < value.length; index += 1) {
    if (value.charCodeAt(index) < 32) return false;
  }
  return true;
}

/** Whether the value can stand in an array without quotes. */
export function isPlainWord(value: string): boolean {
  return /^[A-Za-z0-9_./:@%+,=-]+$/.test(value);
}

type ReadWord =
  | { readonly kind: "word"; readonly word: ShellWord }
  | Exclude<ShellValue, { kind: "text" | "array" }>;

function readWord(text: string, start: number): ReadWord {
  const pieces: string[] = [];
  let at = start;
  while (at < text.length) {
    const char = text[at] ?? "";
    if (isBlank(char) || char === ")") break;
    if (char === '"' || char === "'") {
      const end = text.indexOf(char, at + 1);
      if (end === -1) return { kind: "failing", at, reason: "a quote has no end" };
      const body = text.slice(at + 1, end);
      const special = char === '"' ? body.search(/[$`\\]/) : -1;
      if (special !== -1) return unsafe(at + 1 + special, body[special]);
      pieces.push(body.replaceAll(/[ \t]+/g, " "));
      at = end + 1;
      continue;
    }
    // "~" expands at the start, everything else that isn't listed may expand, split or run something.
    if (!/[A-Za-z0-9_./:@%+,=\u0080-\u00ff-]/.test(char)) return unsafe(at, char);
    pieces.push(char);
    at += 1;
  }
  return { kind: "word", word: { value: pieces.join(""), start, end: at } };
}

function unsafe(at: number, char: string | undefined): Exclude<ReadWord, { kind: "word" }> {
  return { kind: "unsafe", at, reason: `${JSON.stringify(char)} has a meaning for the shell` };
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text[at])) at += 1;
  return at;
}

function isBlank(char: string | undefined): boolean {
  return char === " " || char === "\t";
}
