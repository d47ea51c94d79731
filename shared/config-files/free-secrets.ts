import { isSecretName } from "./secret-names.ts";

/** `text[start, end)` is secret. */
export type SecretSpan = { readonly start: number; readonly end: number };

/**
 * Secrets that betray themselves wherever they stand: by a name before them, as an option of a command, in a URL or by
 * their form. `word`: the text is a command, and a secret ends with the shell's word, or with the quotes around it.
 * `rest`: it is prose or can't be read, and a secret goes on to its end. In order, none inside another.
 */
export function freeSecrets(text: string, reach: "word" | "rest"): readonly SecretSpan[] {
  if (!maybeSecret.test(text)) return [];
  const quotes = reach === "rest" ? null : quoteEnds(text);
  const spans: SecretSpan[] = [];
  let covered = 0;
  for (const { start, end } of beginnings(text).toSorted((a, b) => a.start - b.start)) {
    if (start < covered) continue;
    const span = { start, end: typeof end === "number" ? end : endOf(text, start, end, quotes) };
    covered = span.end;
    if (/[^"' \t]/.test(text.slice(start, span.end))) spans.push(span);
  }
  return spans;
}

/** Puts two lists together: in order, none inside another. */
export function mergeSpans(
  one: readonly SecretSpan[],
  other: readonly SecretSpan[],
): readonly SecretSpan[] {
  const merged: SecretSpan[] = [];
  for (const span of [...one, ...other].toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || span.start >= last.end) merged.push(span);
    else if (span.end > last.end) merged[merged.length - 1] = { start: last.start, end: span.end };
  }
  return merged;
}

/** Where it ends: there, with the shell's word, or with the sentence. */
type Beginning = { readonly start: number; readonly end: number | "word" | "sentence" };

/** 密码 and 口令 in UTF-8 and in GBK, a character for each byte. */
const chineseNames = String.raw`\u00e5\u00af\u0086\u00e7\u00a0\u0081|\u00e5\u008f\u00a3\u00e4\u00bb\u00a4|\u00c3\u00dc\u00c2\u00eb|\u00bf\u00da\u00c1\u00ee`;

/** Most lines have nothing of it. */
const maybeSecret = new RegExp(
  String.raw`p[as]|pw|secret|authkey|token|credential|authorization|api[_-]?key|md5|scram|://|-[wu]|--|%|identified|${chineseNames}`,
  "i",
);

const hash = /\bmd5[0-9a-f]{32}|SCRAM-SHA-256\$[^ \t"']+/gi;
/** As far as the last `@`: a password that is not spelt as URLs want it may have one, too. Without any, what is no port. */
const userInUrl =
  /:\/\/[^ \t:/"'[]{0,256}:(?:([^ \t]{0,1024})@|(?![0-9]{1,5}(?:[/?,]|["']*(?:[ \t]|$)))([^ \t]+))/gi;
const named =
  /(?<![A-Za-z0-9_.%-])([A-Za-z0-9_.%-]+)(?:["']?([ \t]*(?:[+?:]?=>?|:)[ \t]*)|([ \t]+(?:is|was)[ \t]+)|[ \t]+)/g;
/** The vendor's clients take a password behind `-W`; the others are of curl and of sshpass. */
const option =
  /(?<![^ \t"'])(?:-W[ \t]*|(?:-[uU]|--(?:proxy-)?user)[ \t=]*["']?[^ \t:"'=]+:|sshpass[ \t]+-p[ \t]*)/g;
/** In SQL; in hba with its "=" forgotten; in Chinese with a blank, a colon, an equals sign, 是 or 为 between. */
const phrase = new RegExp(
  String.raw`\b(?:password|identified[ \t]+by)[ \t]+(?=\\?["'])|(?:ldapbindpasswd|radiussecrets?)[ \t]+(?=[^ \t=])|(?:${chineseNames})(?:[ \t:=]|\u00ef\u00bc\u009a|\u00a3\u00ba|\u00e6\u0098\u00af|\u00e4\u00b8\u00ba|\u00ca\u00c7|\u00ce\u00aa)+`,
  "gi",
);

function beginnings(text: string): readonly Beginning[] {
  const behind = (pattern: RegExp, end: "word" | "sentence"): readonly Beginning[] =>
    [...text.matchAll(pattern)].map((match) => ({ start: match.index + match[0].length, end }));
  return [
    ...[...text.matchAll(hash)].map(({ index, 0: { length } }) => ({
      start: index,
      end: index + length,
    })),
    ...[...text.matchAll(userInUrl)].map(({ index, 0: { length }, 1: before, 2: secret = "" }) => {
      const end = index + length - (before === undefined ? 0 : 1);
      return { start: end - (before ?? secret).length, end };
    }),
    ...[...text.matchAll(named)].flatMap(
      ({ index, 0: { length }, 1: name = "", 2: sign, 3: verb }) => {
        if (!isSecretName(name)) return [];
        // "--password X"; another name with a blank behind it is prose.
        if (sign === undefined && verb === undefined && !/^--?(?!no-)/.test(name)) return [];
        const isWord = verb === undefined && sign?.trim() !== ":";
        return [{ start: index + length, end: isWord ? ("word" as const) : ("sentence" as const) }];
      },
    ),
    ...behind(option, "word"),
    ...behind(phrase, "sentence"),
  ];
}

/** For each character between two quotes, as a shell sees them, where they end; -1 outside. The last may have no end. */
function quoteEnds(text: string): Int32Array {
  const ends = new Int32Array(text.length).fill(-1);
  for (let at = 0; at < text.length; at += 1) {
    const quote = text[at];
    if (quote === "\\") at += 1;
    if (quote !== '"' && quote !== "'") continue;
    const start = at;
    at += 1;
    while (at < text.length && text[at] !== quote) at += quote === '"' && text[at] === "\\" ? 2 : 1;
    at = Math.min(at, text.length);
    ends.fill(at, start + 1, at);
  }
  return ends;
}

/** What a shell would run within a word hides all the rest. */
function endOf(
  text: string,
  start: number,
  reach: "word" | "sentence",
  quotes: Int32Array | null,
): number {
  if (quotes === null) return text.length;
  const around = quotes[start] ?? -1;
  if (around === -1 && reach === "sentence") return text.length;
  let at = around === -1 ? start : around + 1;
  while (at < text.length && !" \t\n\r".includes(text[at] ?? "")) {
    if (text[at] === "`" || text.startsWith("$(", at)) return text.length;
    const inner = quotes[at + 1] ?? -1;
    if (inner !== -1) at = inner;
    else if (text[at] === "\\") at += 1;
    at += 1;
  }
  // Behind the quotes around it the word may go on: 'PASSWORD='\''x'\'
  return at === around + 1 ? around : Math.min(at, text.length);
}
