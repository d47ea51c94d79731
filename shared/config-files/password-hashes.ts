import { type Complaint, decodeUtf8, type Line, splitLines } from "./text-file.ts";

/** pool_passwd, cluster_passwd, pcp.conf: who has a password and in which form, never the hash itself. */
export type PasswordHashes = {
  readonly file: string;
  /** In file order. Of a user's lines the pool takes the first; pcp takes the password of any. */
  readonly entries: readonly PasswordHash[];
  readonly complaints: readonly Complaint[];
};

/**
 * - `md5`: "md5" and 32 hex digits, of the password and the user's name;
 * - `md5-hex`: 32 hex digits, of the password alone (pcp.conf);
 * - `text`: clear behind the prefix TEXT; `clear`: clear without one.
 */
type HashForm = "md5" | "md5-hex" | "scram-sha-256" | "aes" | "text" | "clear" | "empty";

type PasswordHash = {
  readonly user: string;
  readonly form: HashForm;
  readonly line: number;
  readonly column: number;
};

/** Which program reads the file: they know different forms. */
type HashFileKind = "pcp" | "pool";

/** What fgets() takes at once (pgpool-II's pool_passwd.c and pcp_worker.c): the rest would be read as another line. */
const longestLines: Readonly<Record<HashFileKind, number>> = { pcp: 510, pool: 1022 };

/**
 * `SYSTEM:md53afe…` gives a user and the form `md5`. Masked text (`SYSTEM:md5[secret]`) reads the same, so that a place
 * that sees no secrets sees the forms.
 */
export function parsePasswordHashes(text: string, file = ""): PasswordHashes {
  const kind: HashFileKind = /(?:^|\/)pcp\.conf$/.test(file) ? "pcp" : "pool";
  const entries: PasswordHash[] = [];
  const complaints: Complaint[] = [];
  const firstLines = new Map<string, number>();
  for (const line of splitLines(text)) {
    if (line.text.trim() === "" || line.text.startsWith("#")) continue;
    const complain = (column: number, message: string, hint: string): void => {
      complaints.push({ file, line: line.number, column, message, hint });
    };
    const found = readUser(line.text, kind);
    if (found === null || found.user === "") {
      const what = found === null ? "this is no entry" : "the user's name is missing";
      complain(1, what, "Write USER:HASH.");
      continue;
    }
    const { user, restAt } = found;
    const form = formOfHash(line.text.slice(restAt), kind);
    const shown = decodeUtf8(user);
    entries.push({ user, form, line: line.number, column: restAt + 1 });
    const first = firstLines.get(user);
    if (first === undefined) firstLines.set(user, line.number);
    else complain(1, `${shown} stands here again: ${repeated(kind, first)}`, "Keep one of them.");
    const problem = problemOf(line, form, kind);
    if (problem !== null) complain(restAt + 1, `${shown}: ${problem}`, hints[kind]);
  }
  return { file, entries, complaints };
}

function repeated(kind: HashFileKind, first: number): string {
  return kind === "pcp" ? `the password of line ${first} works as well` : `line ${first} counts`;
}

/** The form of what stands behind the first colon, as pgpool's get_password_type() tells them apart. */
function formOfHash(rest: string, kind: HashFileKind): HashForm {
  if (rest === "") return "empty";
  if (kind === "pcp") return isPlainHex(rest) ? "md5-hex" : "clear";
  // A second pair may follow: the user and the password for the backends.
  const hash = rest.split(":", 1)[0] ?? "";
  if (/^md5(?:[0-9a-fA-F]{32}$|\[secret)/.test(hash)) return "md5";
  if (hash.startsWith("SCRAM-SHA-256$")) return "scram-sha-256";
  if (hash.startsWith("AES")) return "aes";
  if (hash.startsWith("TEXT")) return "text";
  return "clear";
}

/** For showing: the form stays, the rest goes. Shown once, it is shown the same again. */
export function maskHash(rest: string, mark: (secret: string) => string): string {
  if (rest === "" || alreadyMasked.test(rest)) return rest;
  const suffix = isPlainHex(rest) ? hexSuffix : "";
  return `${prefixes[formOfHash(rest, "pool")]}${mark(rest)}${suffix}`;
}

/** Where the hash begins; null when the line has no colon that ends a name. */
export function hashStart(line: string): number | null {
  return readUser(line, "pool")?.restAt ?? null;
}

const alreadyMasked =
  /^(?:md5|SCRAM-SHA-256\$|AES|TEXT)?\[secret(?:, changed)?\](?: \(32 hex digits\))?$/;

const hexSuffix = " (32 hex digits)";

function isPlainHex(hash: string): boolean {
  if (/^[0-9a-fA-F]{32}$/.test(hash)) return true;
  return hash.startsWith("[secret") && hash.endsWith(hexSuffix);
}

const prefixes: Readonly<Record<HashForm, string>> = {
  md5: "md5",
  "scram-sha-256": "SCRAM-SHA-256$",
  aes: "AES",
  text: "TEXT",
  "md5-hex": "",
  clear: "",
  empty: "",
};

const hints: Readonly<Record<HashFileKind, string>> = {
  pool: "Let the pool's own program write the hash (pg_md5 --md5auth, or pg_enc).",
  pcp: "Write USER:HASH with the plain md5 of the password (pg_md5 prints it).",
};

function problemOf(line: Line, form: HashForm, kind: HashFileKind): string | null {
  if (line.eol === "\r\n") return "the carriage return at the line's end becomes part of the hash";
  if (line.text.length > longestLines[kind]) return "the line is longer than the pool reads";
  if (form === "empty") return "there is no password";
  if (kind === "pcp")
    return form === "md5-hex" ? null : "this is no md5 hash: the login is refused";
  if (form === "text" || form === "clear") return "the password stands in clear text";
  return null;
}

/** The pool takes a backslash for an escape, pcp doesn't. */
function readUser(
  line: string,
  kind: HashFileKind,
): { readonly user: string; readonly restAt: number } | null {
  const pieces: string[] = [];
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at];
    if (char === ":") return { user: pieces.join(""), restAt: at + 1 };
    if (kind === "pool" && char === "\\" && at + 1 < line.length) at += 1;
    pieces.push(line[at] ?? "");
  }
  return null;
}
