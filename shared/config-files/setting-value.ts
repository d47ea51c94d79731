import { canonicalPath } from "./posix-path.ts";
import { readSettingNumber } from "./setting-number.ts";
import { decodeUtf8 } from "./text-file.ts";

/** What pg_settings says of a setting. */
export type SettingKind = {
  readonly name: string;
  readonly vartype: "bool" | "integer" | "real" | "string" | "enum";
  /** `8kB`, `ms` and so on; null for none. */
  readonly unit: string | null;
  readonly versionNumber: number;
};

/**
 * Whether a file and the running server say the same, for all the ways of writing one value: `inFile` as it stands there
 * (quotes resolved), `inForce` as pg_settings.setting shows it. `unreadable`: the server would refuse the file's value.
 */
export function compareSetting(
  inFile: string,
  inForce: string,
  kind: SettingKind,
): "same" | "different" | "unreadable" {
  const verdict = (isSame: boolean): "same" | "different" => (isSame ? "same" : "different");
  if (inFile === inForce) return "same";
  switch (kind.vartype) {
    case "bool": {
      const wanted = readSettingBoolean(inFile);
      return wanted === null ? "unreadable" : verdict(wanted === readSettingBoolean(inForce));
    }
    case "integer":
    case "real": {
      const { vartype, unit, versionNumber } = kind;
      const wanted = readSettingNumber(inFile, { vartype, unit, versionNumber });
      if (wanted === null) return "unreadable";
      if (String(wanted) === chosenByServer[kind.name]) return "same";
      const actual = readSettingNumber(inForce, { vartype, unit, versionNumber });
      if (actual === null || wanted === actual) return verdict(actual !== null);
      // The server shows six digits.
      return verdict(vartype === "real" && wanted.toPrecision(6) === actual.toPrecision(6));
    }
    case "enum":
      return verdict(enumWord(inFile, kind.name) === enumWord(inForce, kind.name));
    case "string":
      return verdict(textMeaning(inFile, kind.name) === textMeaning(inForce, kind.name));
  }
}

/** `on`, `t`, `YES`, `1`: the server takes any beginning that fits one word only. */
export function readSettingBoolean(text: string): boolean | null {
  const word = foldAscii(text);
  if (word === "") return null;
  if (word === "1" || word === "on" || "true".startsWith(word) || "yes".startsWith(word)) {
    return true;
  }
  if (word === "0" || "false".startsWith(word) || "no".startsWith(word)) return false;
  return word === "off" || word === "of" ? false : null;
}

/** With these values the server (or the kernel) chooses, and shows what it chose. */
const chosenByServer: Readonly<Record<string, string>> = {
  wal_buffers: "-1",
  commit_timestamp_buffers: "0",
  subtransaction_buffers: "0",
  transaction_buffers: "0",
  io_max_concurrency: "-1",
  tcp_keepalives_idle: "0",
  tcp_keepalives_interval: "0",
  tcp_keepalives_count: "0",
  tcp_user_timeout: "0",
};

/** Words that the server takes and shows as another (hidden entries of guc_tables.c). */
const enumSynonyms: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  wal_level: { archive: "replica", hot_standby: "replica" },
  client_min_messages: { debug: "debug2" },
  log_min_messages: { debug: "debug2" },
  log_min_error_statement: { debug: "debug2" },
  wal_compression: { on: "pglz" },
  password_encryption: { on: "md5" },
};

const truths: ReadonlySet<string> = new Set(["true", "yes", "1"]);
const falsehoods: ReadonlySet<string> = new Set(["false", "no", "0"]);

function enumWord(text: string, name: string): string {
  const folded = foldAscii(text);
  const word = truths.has(folded) ? "on" : falsehoods.has(folded) ? "off" : folded;
  return enumSynonyms[name]?.[word] ?? word;
}

const paths: ReadonlySet<string> = new Set([
  "data_directory",
  "config_file",
  "hba_file",
  "ident_file",
  "external_pid_file",
  "log_directory",
  "stats_temp_directory",
  "promote_trigger_file",
]);
const lists: ReadonlySet<string> = new Set([
  "listen_addresses",
  "local_preload_libraries",
  "log_destination",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "synchronized_standby_slots",
  "temp_tablespaces",
  "unix_socket_directories",
  "wal_consistency_checking",
]);
const withoutCase: ReadonlySet<string> = new Set(["TimeZone", "log_timezone"]);

/** Equal for texts that mean the same for this setting. */
function textMeaning(text: string, name: string): string {
  const readable = decodeUtf8(text);
  if (paths.has(name)) return canonicalPath(readable);
  if (lists.has(name)) return joinItems(readable);
  if (withoutCase.has(name)) return readable.toLowerCase();
  if (name === "synchronous_standby_names") return joinItems(readable).toLowerCase();
  if (name === "client_encoding") return readable.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  if (name === "DateStyle") return joinItems(readable).toLowerCase();
  return readable;
}

/** `'1 (a, "b c")'` without the blanks that separate nothing. */
function joinItems(text: string): string {
  return text
    .split(/("[^"]*"?)/)
    .map((piece, index) =>
      index % 2 === 1
        ? piece
        : piece.replaceAll(/[ \t\n\v\f\r]+/g, " ").replaceAll(/ ?([,()]) ?/g, "$1"),
    )
    .join("")
    .trim();
}

function foldAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
