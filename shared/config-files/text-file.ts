/**
 * The text that every module of this folder works on.
 *
 * Callers read files as "latin1" and write them back as "latin1": one character is one byte, so bytes that are not
 * valid UTF-8 (GBK comments, binary rubbish) survive every edit. A column is therefore a byte column, counted from 1.
 * Before a value is shown to a person it goes through `decodeUtf8`; before text of ours that isn't ASCII goes into a
 * file it goes through `encodeUtf8`.
 */
export type Line = {
  readonly text: string;
  /** "" only on the last line. A lone carriage return is content, as the servers see it. */
  readonly eol: "" | "\n" | "\r\n";
  /** Counted from 1. */
  readonly number: number;
  /** Offset of the first character in the whole text. */
  readonly start: number;
};

/** One thing that is wrong in a file, with its place. */
export type Complaint = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What would be right, or what to do. */
  readonly hint: string;
  /** It reads well and is likely a mistake all the same. */
  readonly isDoubt?: true;
};

/** `"a\r\nb"` gives two lines, the second without an end; `"a\n"` gives one line; `""` gives none. */
export function splitLines(text: string): readonly Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf("\n", start);
    const number = lines.length + 1;
    if (newline === -1) {
      lines.push({ text: text.slice(start), eol: "", number, start });
      break;
    }
    const crlf = newline > start && text[newline - 1] === "\r";
    lines.push({
      text: text.slice(start, crlf ? newline - 1 : newline),
      eol: crlf ? "\r\n" : "\n",
      number,
      start,
    });
    start = newline + 1;
  }
  return lines;
}

export function printLines(lines: readonly Line[]): string {
  return lines.map((line) => line.text + line.eol).join("");
}

/** Replaces `text[start, end)`. */
export type Edit = { readonly start: number; readonly end: number; readonly text: string };

/** Edits must not overlap; their order does not matter. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const sorted = edits.toSorted((a, b) => a.start - b.start);
  const pieces: string[] = [];
  let at = 0;
  for (const edit of sorted) {
    pieces.push(text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  pieces.push(text.slice(at));
  return pieces.join("");
}

/** Adds lines at the end. A file that had no last newline has none afterwards, so that `removeLines` undoes this. */
export function appendLines(text: string, added: readonly string[]): string {
  if (added.length === 0) return text;
  const eol = lineEnding(text);
  const body = added.join(eol);
  return text === "" || text.endsWith("\n") ? text + body + eol : text + eol + body;
}

/** Removes whole lines by number. When the unterminated last line goes, the newline before it goes too. */
export function removeLines(text: string, numbers: ReadonlySet<number>): string {
  if (numbers.size === 0) return text;
  const lines = splitLines(text);
  const kept = lines.filter((line) => !numbers.has(line.number));
  const last = lines.at(-1);
  const lastKept = kept.at(-1);
  // Without its newline an empty line would be none.
  const isLine = lastKept !== undefined && lastKept.text !== "";
  if (last?.eol === "" && isLine && lastKept !== last) {
    kept[kept.length - 1] = { ...lastKept, eol: "" };
  }
  return printLines(kept);
}

/** The line ending to write: the one that most lines of the file have. */
export function lineEnding(text: string): "\n" | "\r\n" {
  // "x\r" + "\n" would read as one CRLF and the carriage return would be lost when our line is taken out again.
  if (text.endsWith("\r")) return "\r\n";
  let newlines = 0;
  let crlf = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
    newlines += 1;
    if (text[at - 1] === "\r") crlf += 1;
  }
  return crlf * 2 > newlines ? "\r\n" : "\n";
}

export const byteOrderMark = "\u00ef\u00bb\u00bf";

/** Latin-1 characters (bytes) to the text they mean in UTF-8; invalid bytes show as U+FFFD. */
export function decodeUtf8(value: string): string {
  const bytes = new Uint8Array(value.length);
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code > 0xff) return value;
    bytes[index] = code;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** The inverse: text to the Latin-1 characters that stand for its UTF-8 bytes. */
export function encodeUtf8(value: string): string {
  const bytes = new TextEncoder().encode(value);
  const pieces: string[] = [];
  for (let start = 0; start < bytes.length; start += 4096) {
    pieces.push(String.fromCharCode(...bytes.subarray(start, start + 4096)));
  }
  return pieces.join("");
}
