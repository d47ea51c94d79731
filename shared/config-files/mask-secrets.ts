import { maskConninfo } from "./conninfo.ts";
import { type FileFormat, fileFormats, formatOfPath } from "./file-format.ts";
import { hashStart, maskHash } from "./password-hashes.ts";
import { quoteSetting, readSettingLine } from "./setting-line.ts";
import { type Line, printLines, splitLines } from "./text-file.ts";

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

function maskSettingValue(name: string, value: string, mark: Mark): string {
  if (isSecretName(name)) return value === "" ? value : mark(value);
  if (!/pass|secret|:\/\/|-W|md5|scram/i.test(value)) return value;
  const masked = maskConninfo(value, mark);
  return maskGeneric(masked === value ? maskConninfoRest(value, mark) : masked, mark);
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
  let swallowed = false;
  for (const line of splitLines(text)) {
    onLine(line.number);
    const shown: string = swallowed ? mark(line.text) : maskLine(format, line.text, mark);
    // Some readers join a line that ends in a backslash with the next one: a secret may go on there.
    swallowed = line.text.endsWith("\\") && (swallowed || shown !== line.text);
    masked.push({ ...line, text: shown });
  }
  return printLines(masked);
}

function maskLine(format: FileFormat, line: string, mark: Mark): string {
  switch (format) {
    case "password-hashes":
      return maskHashLine(line, mark);
    case "pcp-pass":
      return maskPassLine(line, 3, mark);
    case "pg-pass":
      return maskPassLine(line, 4, mark);
    case "hba":
      return maskGeneric(maskRest(line, /(?:ldapbindpasswd|radiussecrets?)\s*=/i, mark), mark);
    case "server-conf":
    case "recovery-conf":
    case "pool-conf":
    case "ha-module":
      return maskGeneric(maskSetting(line, mark), mark);
    case "secret":
      return line.trim() === "" ? line : mark(line);
    case "other":
      return maskGeneric(maskRest(maskSetting(line, mark), anySecret, mark), mark);
    case "pool-status":
    case "cron":
      return maskGeneric(line, mark);
  }
}

/** `user:hash` shows the hash's form; in a comment only what looks like a hash, so that the sample's explanations stay readable. */
function maskHashLine(line: string, mark: Mark): string {
  if (/^\s*#/.test(line)) {
    const masked = maskGeneric(line, mark);
    return masked.replace(/[0-9a-fA-F]{32}/g, (hash) => mark(hash));
  }
  if (line.trim() === "") return line;
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

const secretName =
  /(?:pass|password|passwd|authkey|secret|passphrase|passphrase_command)(?:_base64)?[0-9]*$/i;
const anySecret = /(?:pass(?:word|wd|phrase)?|secret|token)["']?\s*[:=]\s*(?=\S)/i;
/** Their values are names of files. */
const harmlessNames: ReadonlySet<string> = new Set(["pool_passwd", "cluster_passwd"]);

function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmlessNames.has(name.toLowerCase());
}

/** `name = value`, active or commented out, in the grammar of the server, of the pool or of HAmodule.conf. */
function maskSetting(line: string, mark: Mark): string {
  const head = /^([ \t#]*)([A-Za-z0-9_.\u0080-\u00ff]{1,128})([ \t]*=[ \t]*|[ \t]+|(?='))/.exec(
    line,
  );
  const name = head?.[2];
  if (head === null || name === undefined) return maskConninfoRest(line, mark);
  const valueAt = head[0].length;
  const isComment = head[1]?.includes("#") === true;
  if (isSecretName(name)) {
    // "# Password in pool_passwd …" is prose.
    if (isComment && !head[3]?.includes("=")) return line;
    return line.slice(0, valueAt) + maskValue(line.slice(valueAt), mark);
  }
  const setting = readSettingLine(line, head[1]?.length ?? 0);
  if (setting.kind !== "setting") return maskConninfoRest(line, mark);
  if (!/pass|secret|:\/\//i.test(setting.value)) return line;
  const masked = maskConninfo(setting.value, mark);
  if (masked === setting.value) return maskConninfoRest(line, mark);
  return line.slice(0, setting.valueStart) + quoteSetting(masked) + line.slice(setting.valueEnd);
}

/** The value alone where it is well formed, else all the rest. Empty values are no secrets. */
function maskValue(rest: string, mark: Mark): string {
  const tail = String.raw`([ \t\r]*(?:[ \t]#.*)?)$`;
  const quoted = new RegExp(String.raw`^(["'])([^"'\\]*)\1${tail}`).exec(rest);
  if (quoted !== null) {
    const [, quote = "", secret = "", comment = ""] = quoted;
    return secret === "" ? rest : `${quote}${mark(secret)}${quote}${comment}`;
  }
  const bare = new RegExp(String.raw`^([^\s"'\\#]+)${tail}`).exec(rest);
  // In quotes: bare it would be no value for a server or a shell, and the masked file is parsed, too.
  if (bare !== null) return `'${mark(bare[1] ?? "")}'${bare[2] ?? ""}`;
  return rest.trim() === "" ? rest : mark(rest);
}

function maskConninfoRest(line: string, mark: Mark): string {
  return maskRest(line, /(?:\b|_)(?:ssl)?password\s*=\s*(?=\S)/i, mark);
}

function maskRest(line: string, beginning: RegExp, mark: Mark): string {
  const found = beginning.exec(line);
  if (found === null) return line;
  const at = found.index + found[0].length;
  return isMarked(line.slice(at)) ? line : line.slice(0, at) + mark(line.slice(at));
}

/** Secrets that betray themselves wherever they stand: hashes, environment variables and options of commands. */
function maskGeneric(line: string, mark: Mark): string {
  const masked = line.replace(/\b(?:md5[0-9a-f]{32}|SCRAM-SHA-256\$\S+)/g, (hash) => mark(hash));
  return masked.replace(
    /(\b[A-Z_]*PASSWORD=|--password[= ]|\s-W ?)(?!\[secret)([^\s'";|&]+|"[^"]*"?|'[^']*'?)/g,
    (_, before: string, secret: string) => before + mark(secret),
  );
}

function isMarked(rest: string): boolean {
  return /^["']?\[secret/.test(rest);
}
