import { isConninfoUri, readConninfoUri } from "./conninfo-uri.ts";
import { freeSecrets, mergeSpans } from "./free-secrets.ts";
import { isSecretName } from "./secret-names.ts";
import { applyEdits } from "./text-file.ts";

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

/** `host=10.0.0.1 application_name='a b'` gives two pairs. Of a URI there are values only. */
export function parseConninfo(text: string): Conninfo {
  if (isConninfoUri(text)) {
    const values = readConninfoUri(text);
    const problem = values === null ? { at: 0, message: "the URI can't be read" } : null;
    return { text, pairs: [], values: values ?? new Map(), problem };
  }
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

/** Which host it leads to: libpq takes the address before the name. */
export function conninfoHost(text: string): string | null {
  const { values } = parseConninfo(text);
  return values.get("hostaddr") ?? values.get("host") ?? null;
}
