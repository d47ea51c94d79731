/** A name in a rule. Quoted from its start, `"all"` is a database of that name, not the keyword. */
export type HbaToken = { readonly value: string; readonly quoted: boolean };

/** One field of a line: names that are separated by commas. `at` and `end` are offsets in the line. */
export type HbaField = {
  readonly tokens: readonly HbaToken[];
  readonly at: number;
  readonly end: number;
};

/**
 * `host db1,"My Db" all` gives three fields, the second with two tokens. The rules are those of next_token() in
 * PostgreSQL's hba.c: a comma goes on with the same field, `""` inside quotes is a quote, `#` ends the line.
 */
export function readHbaFields(line: string): readonly HbaField[] {
  const fields: HbaField[] = [];
  let tokens: HbaToken[] = [];
  let fieldAt = 0;
  let at = 0;
  for (;;) {
    while (isBlank(line[at]) || line[at] === ",") at += 1;
    const read = readToken(line, at);
    if (read.token !== null) {
      if (tokens.length === 0) fieldAt = at;
      tokens.push(read.token);
    }
    at = read.next;
    if (tokens.length > 0 && (!read.commaFollows || read.token === null)) {
      fields.push({ tokens, at: fieldAt, end: read.end });
      tokens = [];
    }
    if (at >= line.length) {
      if (tokens.length > 0) fields.push({ tokens, at: fieldAt, end: read.end });
      return fields;
    }
  }
}

type ReadToken = {
  readonly token: HbaToken | null;
  readonly end: number;
  readonly next: number;
  readonly commaFollows: boolean;
};

function readToken(line: string, from: number): ReadToken {
  const pieces: string[] = [];
  let at = from;
  let inQuote = false;
  let wasQuote = false;
  let sawQuote = false;
  let quoted = false;
  for (; at < line.length; at += 1) {
    const char = line[at] ?? "";
    if (!inQuote && (isBlank(char) || char === "#" || char === ",")) break;
    if (char !== '"' || wasQuote) pieces.push(char);
    wasQuote = inQuote && char === '"' ? !wasQuote : false;
    if (char === '"') {
      inQuote = !inQuote;
      sawQuote = true;
      if (pieces.length === 0) quoted = true;
    }
  }
  const commaFollows = line[at] === ",";
  return {
    token: pieces.length === 0 && !sawQuote ? null : { value: pieces.join(""), quoted },
    end: at,
    next: line[at] === "#" ? line.length : commaFollows ? at + 1 : at,
    commaFollows,
  };
}

function isBlank(char: string | undefined): boolean {
  return char === " " || char === "\t" || char === "\r";
}
