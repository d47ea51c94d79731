import { maskConninfo } from "./conninfo.ts";
import { type FileFormat, fileFormats, formatOfPath } from "./file-format.ts";
import { freeSecrets, mergeSpans, type SecretSpan } from "./free-secrets.ts";
import { hashStart, maskHash } from "./password-hashes.ts";
import { quoteSetting, readSettingLine } from "./setting-line.ts";
import { isSecretName } from "./secret-names.ts";
import { applyEdits, type Line, printLines, splitLines } from "./text-file.ts";

/**
 * The text with every secret value as `[secret]`, for diffs, events and logs. Where a line is broken it hides too much
 * rather than too little: everything from the secret's beginning to the end of the line.
 */
export function maskSecrets(pathOrFormat: string, text: string): string {
  return maskText(pathOrFormat, text, () => "[secret]");
}

/**
 * Both sides of a change, masked. A secret of `after` that `before` doesn't have shows as `[secret, changed]`: without
 * that, the diff of a changed password would be empty.
 */
export function maskChange(
  pathOrFormat: string,
  before: string,
  after: string,
): { readonly before: string; readonly after: string } {
  const known = new Set<string>();
  const maskedBefore = maskText(pathOrFormat, before, (secret) => {
    known.add(secret);
    return "[secret]";
  });
  const maskedAfter = maskText(pathOrFormat, after, (secret) =>
    known.has(secret) ? "[secret]" : "[secret, changed]",
  );
  return { before: maskedBefore, after: maskedAfter };
}

/** Every secret with the line that it stands on (counted from 1), as the masking finds them. Never to be shown. */
export function secretsIn(
  pathOrFormat: string,
  text: string,
): readonly { readonly line: number; readonly secret: string }[] {
  const found: { line: number; secret: string }[] = [];
  let line = 0;
  maskText(
    pathOrFormat,
    text,
    (secret) => {
      found.push({ line, secret });
      return "[secret]";
    },
    (number) => {
      line = number;
    },
  );
  return found;
}

/** One setting's value (quotes resolved) from `before` to `after`, masked by the same rules; null: not set. */
export function maskSettingChange(
  name: string,
  before: string | null,
  after: string | null,
): { readonly before: string | null; readonly after: string | null } {
  const known = new Set<string>();
  const from =
    before === null
      ? null
      : maskSettingValue(name, before, (secret) => {
          known.add(secret);
          return "[secret]";
        });
  const to =
    after === null
      ? null
      : maskSettingValue(name, after, (secret) =>
          before === null || known.has(secret) ? "[secret]" : "[secret, changed]",
        );
  return { before: from, after: to };
}

/** A connection string, a command, or a secret as a whole. */
function maskSettingValue(name: string, value: string, mark: Mark): string {
  if (isSecretName(name)) return value === "" ? value : mark(value);
  if (/conninfo$/i.test(name) || /^[ \t]*[a-z_]+[ \t]*=/.test(value))
    return maskConninfo(value, mark);
  return maskFree(value, "word", mark);
}

type Mark = (secret: string) => string;

function maskText(
  pathOrFormat: string,
  text: string,
  mark: Mark,
  onLine: (number: number) => void = () => undefined,
): string {
  const format = fileFormats.find((known) => known === pathOrFormat) ?? formatOfPath(pathOrFormat);
  const masked: Line[] = [];
  let goesOn: "anyhow" | "where broken" | null = null;
  for (const line of splitLines(text)) {
    onLine(line.number);
    const isMore: boolean =
      goesOn === "anyhow" || (goesOn === "where broken" && isBrokenSetting(line.text));
    const shown: string = isMore ? mark(line.text) : maskLine(format, line.text, mark);
    // Some readers join a line that ends in a backslash with the next one: a secret may go on there.
    if (line.text.endsWith("\\") && shown !== line.text) goesOn = "anyhow";
    else if (!isMore || goesOn === "anyhow") {
      goesOn = settingFormats.has(format) && isOpenSecret(line.text) ? "where broken" : null;
    }
    masked.push({ ...line, text: shown });
  }
  return printLines(masked);
}

const settingFormats: ReadonlySet<FileFormat> = new Set([
  "server-conf",
  "recovery-conf",
  "pool-conf",
]);

function isBrokenSetting(line: string): boolean {
  return readSettingLine(line).kind === "broken";
}

/** Quotes without an end: what was to stand in them may stand on the next lines. */
function isOpenSecret(line: string): boolean {
  return isBrokenSetting(line) && (line.match(/[A-Za-z0-9_.%-]+/g) ?? []).some(isSecretName);
}

function maskLine(format: FileFormat, line: string, mark: Mark): string {
  switch (format) {
    case "password-hashes":
      return maskHashLine(line, mark);
    case "pcp-pass":
      return maskPassLine(line, 3, mark);
    case "pg-pass":
      return maskPassLine(line, 4, mark);
    case "server-conf":
    case "recovery-conf":
    case "pool-conf":
      return maskSetting(line, mark);
    case "ha-module":
      return maskAssignment(line, mark);
    case "secret":
      return line.trim() === "" ? line : mark(line);
    case "other":
      return maskNamed(line, mark) ?? maskFree(line, "rest", mark);
    case "hba":
    case "pool-status":
      return maskFree(line, "rest", mark);
    case "cron":
      return maskFree(line, isComment(line) ? "rest" : "word", mark);
  }
}

function isComment(line: string): boolean {
  return /^[ \t]*#/.test(line);
}

/** `user:hash` shows the hash's form; of a comment what looks like an entry or like a hash is hidden. */
function maskHashLine(line: string, mark: Mark): string {
  if (line.trim() === "") return line;
  if (isComment(line)) {
    const entry = /^[ \t#]*[^ \t:#]+:(?=[^ \t])/.exec(line)?.[0].length ?? line.length;
    const hashes = [...line.matchAll(/[0-9a-fA-F]{32}/g)].map(({ index }) => {
      return { start: index, end: index + 32 };
    });
    const spans = mergeSpans(freeSecrets(line, "rest"), [
      ...hashes,
      { start: entry, end: line.length },
    ]);
    return hide(line, spans, mark);
  }
  const at = hashStart(line);
  if (at === null) return mark(line);
  return line.slice(0, at) + maskHash(line.slice(at), mark);
}

/** Everything behind the given number of colons; a line with fewer is a secret as a whole. */
function maskPassLine(line: string, colons: number, mark: Mark): string {
  if (line.trim() === "") return line;
  let seen = 0;
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === "\\") at += 1;
    else if (line[at] === ":") seen += 1;
    if (seen === colons) return line.slice(0, at + 1) + mark(line.slice(at + 1));
  }
  if (!line.startsWith("#")) return mark(line);
  // A line that someone commented out, and not a whole one: prose hardly has two colons.
  return seen < 2 ? line : maskRest(line, /:/, mark);
}

/** `name = value`, active or commented out, in the grammar of the server and of the pool. */
function maskSetting(line: string, mark: Mark): string {
  const secret = maskNamed(line, mark);
  if (secret !== null) return secret;
  const from = /^[ \t#]*/.exec(line)?.[0].length ?? 0;
  const setting = readSettingLine(line, from);
  // No setting's name is in Chinese.
  const isProse = setting.kind !== "setting" || /[^A-Za-z0-9_.]/.test(setting.name);
  if (isProse) return maskFree(line, "rest", mark);
  const { name, value, valueStart, valueEnd } = setting;
  const masked = maskSettingValue(name, value, mark);
  const shown = masked === value ? line.slice(valueStart, valueEnd) : quoteSetting(masked);
  return line.slice(0, valueStart) + shown + maskFree(line.slice(valueEnd), "rest", mark);
}

/** HAmodule.conf. What is no assignment is ignored by everyone, and may be the end of a password. */
function maskAssignment(line: string, mark: Mark): string {
  if (!isComment(line) && line.trim() !== "" && !line.includes("=")) return mark(line);
  return maskNamed(line, mark) ?? maskFree(line, isComment(line) ? "rest" : "word", mark);
}

/** The line of a setting whose name says that its value is secret; null for any other. */
function maskNamed(line: string, mark: Mark): string | null {
  const head = /^([ \t#]*)([A-Za-z0-9_.]{1,128})([ \t]*=[ \t]*|[ \t]+|(?='))/.exec(line);
  const [whole = "", lead = "", name = "", sign = ""] = head ?? [];
  if (!isSecretName(name)) return null;
  const value = line.slice(whole.length);
  // "# Password in pool_passwd …" is prose.
  if (lead.includes("#") && !sign.includes("=") && !/^(?:'|[^ \t]+[ \t]*$)/.test(value))
    return null;
  return whole + maskValue(value, mark);
}

/** The value alone where it is well formed, else all the rest. Empty values are no secrets. */
function maskValue(rest: string, mark: Mark): string {
  const quoted = /^(["'])([^"'\\]*)\1([ \t\r]*(?:[ \t]#.*)?)$/.exec(rest);
  if (quoted !== null) {
    const [, quote = "", secret = "", comment = ""] = quoted;
    const shown = secret === "" ? "" : mark(secret);
    return `${quote}${shown}${quote}${maskFree(comment, "rest", mark)}`;
  }
  // In quotes: bare it would be no value for a server or a shell, and the masked file is parsed, too.
  const bare = /^([^ \t\r"'\\#]+(?:[ \t]+#.*)?)([ \t\r]*)$/.exec(rest);
  if (bare !== null) return `'${mark(bare[1] ?? "")}'${bare[2] ?? ""}`;
  return rest.trim() === "" ? rest : mark(rest);
}

function maskRest(line: string, beginning: RegExp, mark: Mark): string {
  const found = beginning.exec(line);
  if (found === null) return line;
  const at = found.index + found[0].length;
  return at === line.length ? line : line.slice(0, at) + mark(line.slice(at));
}

function maskFree(text: string, reach: "word" | "rest", mark: Mark): string {
  return hide(text, freeSecrets(text, reach), mark);
}

function hide(text: string, spans: readonly SecretSpan[], mark: Mark): string {
  const edits = spans
    .filter(({ start, end }) => start < end)
    .map(({ start, end }) => ({ start, end, text: mark(text.slice(start, end)) }));
  return applyEdits(text, edits);
}
