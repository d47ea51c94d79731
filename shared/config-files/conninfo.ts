import { decodeBase64, encodeBase64 } from "./base64.ts";
import { freeSecrets, mergeSpans } from "./free-secrets.ts";
import { isSecretName } from "./secret-names.ts";
import { applyEdits, decodeUtf8, encodeUtf8 } from "./text-file.ts";

/** A libpq connection string, e.g. the value of primary_conninfo. Column numbers are for the caller to add. */
export type Conninfo = {
  readonly text: string;
  readonly pairs: readonly ConninfoPair[];
  /** By keyword; the last one wins, as in libpq. */
  readonly values: ReadonlyMap<string, string>;
  /** What is wrong with the rest after `pairs`, and where. */
  readonly problem: { readonly at: number; readonly message: string } | null;
};

type ConninfoPair = {
  readonly key: string;
  /** Quotes and backslashes resolved. */
  readonly value: string;
  readonly keyStart: number;
  /** The value as written, its quotes included, is `text[valueStart, valueEnd)`. */
  readonly valueStart: number;
  readonly valueEnd: number;
};

/** How a password is kept: KingbaseES V8R3 wants base64 in recovery.conf, PostgreSQL clear text. */
export type PasswordEncoding = "clear" | "base64";

/** `host=10.0.0.1 application_name='a b'` gives two pairs. The URI form is reported as a problem. */
export function parseConninfo(text: string): Conninfo {
  const pairs: ConninfoPair[] = [];
  let problem: Conninfo["problem"] = null;
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const pair = readPair(text, at);
    if (pair.kind === "problem") {
      problem = pair;
      break;
    }
    pairs.push(pair.pair);
    at = skipBlanks(text, pair.pair.valueEnd);
  }
  return { text, pairs, values: new Map(pairs.map((p) => [p.key, p.value])), problem };
}

type ReadPair =
  | { readonly kind: "pair"; readonly pair: ConninfoPair }
  | { readonly kind: "problem"; readonly at: number; readonly message: string };

function readPair(text: string, keyStart: number): ReadPair {
  let at = keyStart;
  while (at < text.length && text[at] !== "=" && !isBlank(text[at])) at += 1;
  const key = text.slice(keyStart, at);
  at = skipBlanks(text, at);
  if (text[at] !== "=" || key === "") {
    return { kind: "problem", at: keyStart, message: 'a keyword or its "=" is missing' };
  }
  const valueStart = skipBlanks(text, at + 1);
  const quoted = text[valueStart] === "'";
  const pieces: string[] = [];
  at = quoted ? valueStart + 1 : valueStart;
  for (;;) {
    const char = text[at];
    if (char === undefined) {
      if (quoted) return { kind: "problem", at: valueStart, message: "a quoted value has no end" };
      break;
    }
    if (quoted ? char === "'" : isBlank(char)) break;
    if (char === "\\") at += 1;
    pieces.push(text[at] ?? "");
    at += 1;
  }
  // A backslash as the very last character steps past the end.
  const valueEnd = Math.min(quoted ? at + 1 : at, text.length);
  const value = pieces.join("");
  return { kind: "pair", pair: { key, value, keyStart, valueStart, valueEnd } };
}

/** One blank between pairs and quotes only where they are needed: the vendor's scripts cut at blanks and quotes. */
export function printConninfo(values: ReadonlyMap<string, string>): string {
  return [...values].map(([key, value]) => `${key}=${quoteConninfo(value)}`).join(" ");
}

/** Changes the value that counts where it stands, or appends the pair. */
export function setConninfoValue(text: string, key: string, value: string): string {
  const conninfo = parseConninfo(text);
  const pair = conninfo.pairs.findLast((p) => p.key === key);
  if (pair === undefined) {
    const separator = text === "" || isBlank(text.at(-1)) ? "" : " ";
    return `${text}${separator}${key}=${quoteConninfo(value)}`;
  }
  if (pair.value === value) return text;
  const edit = { start: pair.valueStart, end: pair.valueEnd, text: quoteConninfo(value) };
  return applyEdits(text, [edit]);
}

/** `password` is text as a person types it; the result stays a Latin-1 string. */
export function withPassword(text: string, password: string, encoding: PasswordEncoding): string {
  const stored = encoding === "base64" ? encodeBase64(password) : encodeUtf8(password);
  return setConninfoValue(text, "password", stored);
}

/** The password as a person types it; null when there is none, or when it isn't base64 where it should be. */
export function readPassword(conninfo: Conninfo, encoding: PasswordEncoding): string | null {
  const stored = conninfo.values.get("password");
  if (stored === undefined) return null;
  return encoding === "base64" ? decodeBase64(stored) : decodeUtf8(stored);
}

/** For showing: secret values become `[secret]`, in URIs as well. In a broken string all from a secret on is hidden. */
export function maskConninfo(text: string, mark: (secret: string) => string = markSecret): string {
  const { pairs, problem } = parseConninfo(text);
  const secrets = pairs.filter((pair) => pair.value !== "" && isSecretName(pair.key));
  const spans = secrets.map((pair) => ({ start: pair.valueStart, end: pair.valueEnd }));
  const [first] = spans;
  if (problem !== null && first !== undefined) spans.push({ ...first, end: text.length });
  const free = freeSecrets(text, problem === null ? "word" : "rest");
  const values = new Map(secrets.map((pair) => [pair.valueStart, pair]));
  const edits = mergeSpans(spans, free).map(({ start, end }) => {
    const pair = values.get(start);
    const secret = pair?.valueEnd === end ? pair.value : text.slice(start, end);
    return { start, end, text: mark(secret) };
  });
  return applyEdits(text, edits);
}

function markSecret(): string {
  return "[secret]";
}

function quoteConninfo(value: string): string {
  if (value !== "" && !/[\s'\\]/.test(value)) return value;
  return `'${value.replace(/['\\]/g, "\\$&")}'`;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text[at])) at += 1;
  return at;
}

/** C's isspace() in the C locale. */
function isBlank(char: string | undefined): boolean {
  return char !== undefined && " \t\n\v\f\r".includes(char);
}
