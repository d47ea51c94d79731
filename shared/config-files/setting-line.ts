/**
 * One line in the grammar that postgresql.conf, recovery.conf (9.1 to 11) and pgpool.conf share (PostgreSQL's
 * guc-file.l): `name [=] value [# comment]`. Scanned by hand: the time per byte is bounded whatever the input is.
 */
export type SettingLine =
  | { readonly kind: "empty" }
  | { readonly kind: "broken"; readonly at: number; readonly message: string }
  | {
      readonly kind: "setting";
      /** As written; settings are compared without regard to case. */
      readonly name: string;
      readonly nameAt: number;
      readonly hasEquals: boolean;
      /** What the server understands: quotes and escapes resolved. */
      readonly value: string;
      readonly valueStart: number;
      readonly valueEnd: number;
      /** `a.b` bare: a server takes it for the name of a setting and refuses the file. */
      readonly readsAsName: boolean;
    };

/** Inside quotes pgpool (pool_config.l) knows no escapes: `\\` is two backslashes, and `''` ends a value. */
export type SettingDialect = "server" | "pool";

/** `max_wal_senders = 10 # spare` gives name `max_wal_senders`, value `10`. */
export function readSettingLine(
  line: string,
  from = 0,
  dialect: SettingDialect = "server",
): SettingLine {
  const nameAt = skipBlanks(line, from);
  if (nameAt >= line.length || line[nameAt] === "#") return { kind: "empty" };
  const nameEnd = scanName(line, nameAt);
  if (nameEnd === nameAt) return broken(nameAt, "no setting name stands here");
  let at = skipBlanks(line, nameEnd);
  const hasEquals = line[at] === "=";
  if (hasEquals) at = skipBlanks(line, at + 1);
  const name = line.slice(nameAt, nameEnd);
  if (at >= line.length || line[at] === "#") return broken(at, `${name} has no value`);
  // "name'value'" and "name+1" are two tokens for the server, "name-1" is one.
  if (!hasEquals && at === nameEnd && line[at] !== "'" && line[at] !== "+") {
    return broken(at, `unexpected ${JSON.stringify(line[at])} after ${name}`);
  }
  const valueEnd = scanValue(line, at, dialect);
  if (valueEnd === -1) return broken(at, `the quoted value of ${name} has no end`);
  if (valueEnd === at) return broken(at, `the value of ${name} must stand in single quotes`);
  const nul = line.indexOf("\0", at);
  if (nul !== -1 && nul < valueEnd) return broken(nul, `a NUL byte cuts off the value of ${name}`);
  const rest = skipBlanks(line, valueEnd);
  if (rest < line.length && line[rest] !== "#") {
    return broken(rest, `unexpected text after the value of ${name}`);
  }
  const raw = line.slice(at, valueEnd);
  const value = dialect === "server" || line[at] !== "'" ? unquote(raw) : raw.slice(1, -1);
  const readsAsName = dialect === "server" && raw.includes(".") && scanName(line, at) === valueEnd;
  return { kind: "setting", name, nameAt, hasEquals, value, valueStart: at, valueEnd, readsAsName };
}

/** `it's` gives `'it''s'`; `on`, `10` and `512MB` stay bare unless `always` is set. */
export function quoteSetting(value: string, always = false): string {
  if (
    !always &&
    value.length < 100 &&
    /^(?:[+-]?[0-9]+[A-Za-z]*|[A-Za-z_][A-Za-z0-9_]*)$/.test(value)
  ) {
    return value;
  }
  const body = value
    .replaceAll("\\", "\\\\")
    .replaceAll("'", "''")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r");
  return `'${body}'`;
}

/** In quotes, as pgpool reads them; a value that can't stand in its file is refused. */
export function quotePoolSetting(value: string): string {
  if (/['\n\r\0]|\\$/.test(value)) {
    throw new RangeError(`${JSON.stringify(value)} can't stand in a pool's file`);
  }
  return `'${value}'`;
}

/** Lower case for ASCII letters only: the other characters are bytes, not letters. */
export function foldSettingName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

export function isSettingName(name: string): boolean {
  return name !== "" && scanName(name, 0) === name.length;
}

function broken(at: number, message: string): SettingLine {
  return { kind: "broken", at, message };
}

function skipBlanks(line: string, from: number): number {
  let at = from;
  while (line[at] === " " || line[at] === "\t" || line[at] === "\r") at += 1;
  return at;
}

/** A name, or two names with a dot between them (a setting of an extension). */
function scanName(line: string, from: number): number {
  const first = scanIdentifier(line, from);
  if (first === from || line[first] !== ".") return first;
  const second = scanIdentifier(line, first + 1);
  return second === first + 1 ? first : second;
}

function scanIdentifier(line: string, from: number): number {
  let at = from;
  if (!isLetter(line.charCodeAt(at))) return from;
  while (isLetter(line.charCodeAt(at)) || isDigit(line.charCodeAt(at))) at += 1;
  return at;
}

/** Where the value ends; `from` when there is none, -1 for a quote without an end. */
function scanValue(line: string, from: number, dialect: SettingDialect): number {
  if (line[from] === "'") {
    return dialect === "server" ? scanQuoted(line, from) : scanPoolQuoted(line, from);
  }
  if (isLetter(line.charCodeAt(from))) {
    let at = from;
    while (isLetter(line.charCodeAt(at)) || isDigit(line.charCodeAt(at)) || isJoiner(line[at])) {
      at += 1;
    }
    return at;
  }
  return Math.max(endOf(integer, line, from), endOf(real, line, from));
}

const integer = /[+-]?(?:0x[0-9a-fA-F]+|[0-9]+)[a-zA-Z]*/y;
const real = /[+-]?[0-9]*\.[0-9]*(?:[Ee][+-]?[0-9]+)?/y;

/** Where the match ends that begins at `from`; `from` for none. */
function endOf(pattern: RegExp, line: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(line) ? pattern.lastIndex : from;
}

function scanQuoted(line: string, from: number): number {
  let at = from + 1;
  while (at < line.length) {
    if (line[at] === "\\") at += 2;
    else if (line[at] !== "'") at += 1;
    else if (line[at + 1] === "'") at += 2;
    else return at + 1;
  }
  return -1;
}

/** The longest match: a quote behind a backslash ends the value only where no other quote follows. */
function scanPoolQuoted(line: string, from: number): number {
  let end = -1;
  for (let at = line.indexOf("'", from + 1); at !== -1; at = line.indexOf("'", at + 1)) {
    end = at + 1;
    if (line[at - 1] !== "\\") break;
  }
  return end;
}

const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

function unquote(raw: string): string {
  if (!raw.startsWith("'")) return raw;
  const body = raw.slice(1, -1);
  if (!body.includes("\\") && !body.includes("'")) return body;
  const pieces: string[] = [];
  for (let at = 0; at < body.length; at += 1) {
    const char = body[at] ?? "";
    if (char === "'") at += 1;
    if (char !== "\\") {
      pieces.push(char);
      continue;
    }
    const octal = /^[0-7]{1,3}/.exec(body.slice(at + 1, at + 4))?.[0];
    if (octal !== undefined) {
      pieces.push(String.fromCharCode(Number.parseInt(octal, 8) & 0xff));
      at += octal.length;
    } else {
      at += 1;
      const next = body[at] ?? "";
      pieces.push(escapes[next] ?? next);
    }
  }
  // The server goes on with a C string, which "\\0" ends.
  return pieces.join("").split("\0", 1)[0] ?? "";
}

/** Letters of the server's scanner: every byte above 127 counts as one. */
function isLetter(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95 || code >= 128;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isJoiner(char: string | undefined): boolean {
  return char === "-" || char === "." || char === "_" || char === ":" || char === "/";
}
