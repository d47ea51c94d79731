import type { FileFacts } from "../domain/facts.ts";
import { pathBeside } from "./posix-path.ts";
import {
  effective,
  type IncludeEntry,
  parseServerConf,
  type ServerConf,
  type SettingEntry,
} from "./server-conf.ts";
import { type Complaint, decodeUtf8, encodeUtf8 } from "./text-file.ts";

/** What is known of the files that a server may read. Paths and names are text as people read it. */
export type ConfSource = {
  readonly file: (path: string) => ConfContent | "missing" | "unknown";
  /** The names in a folder, in any order; none where there is no such folder. */
  readonly folder: (path: string) => readonly string[] | "unknown";
};
export type ConfContent = Pick<ServerConf, "entries" | "includes" | "complaints">;

export type IncludedFile = { readonly path: string; readonly origin: "include" | "include-dir" };

export type ServerConfFiles = {
  /** Each once, missing ones too, in the server's order. */
  readonly included: readonly IncludedFile[];
  /** A file that appears in one of these belongs to the configuration from then on. */
  readonly folders: readonly string[];
  /** More than `most`: the rest is not looked at. */
  readonly isCut: boolean;
  /**
   * What counts, by lower-case name: the last line wins, wherever it stands. Only what is certain: nothing that stands
   * before a file of which nothing is known, or which the server refuses.
   */
  readonly settings: ReadonlyMap<string, SettingEntry>;
  /** Is every setting that isn't in `settings` set nowhere? */
  readonly isWhole: boolean;
  /** Includes for which the server refuses to start or to reload; what is broken in a file, it says itself. */
  readonly complaints: readonly Complaint[];
};

/** Of an agent, where it is not set to more. */
export const mostIncludedFiles = 200;
/** PostgreSQL's own limit: files that include each other in a circle end here (guc-file.l). */
const maxDepth = 10;
/** Ours: what a few files that include each other could unfold to has no end in sight. */
const maxReadings = 1000;
const maxEntries = 1_000_000;

/**
 * A server's configuration file and each `include` where it stands. Order, paths and limits are those of PostgreSQL's
 * guc-file.l. The server reads *.auto.conf after all of it.
 */
export function readServerConfFiles(
  main: string,
  source: ConfSource,
  most = mostIncludedFiles,
): ServerConfFiles {
  const included = new Map<string, IncludedFile>();
  const folders = new Set<string>();
  const settings = new Map<string, SettingEntry>();
  const complaints: Complaint[] = [];
  let isCut = false;
  let isWhole = true;
  let readings = 0;
  let entries = 0;

  /** Whatever was read so far may be said otherwise by what can't be known. */
  function forget(): void {
    settings.clear();
    isWhole = false;
  }

  /** Does the file exist, as far as is known? */
  function readFile(path: string, depth: number): boolean {
    const conf = readings < maxReadings && entries < maxEntries ? source.file(path) : "unknown";
    if (conf === "missing") return false;
    if (conf === "unknown") {
      forget();
      return true;
    }
    readings += 1;
    let next = 0;
    for (const include of conf.includes) {
      next = takeEntries(conf, next, include.line);
      follow(path, include, depth + 1);
    }
    takeEntries(conf, next, Number.POSITIVE_INFINITY);
    if (conf.complaints.length > 0) forget();
    return true;
  }

  /** The entries from `from` on that stand before the line; gives the index behind them. */
  function takeEntries(conf: ConfContent, from: number, line: number): number {
    let at = from;
    for (let entry = conf.entries[at]; entry !== undefined; entry = conf.entries[at]) {
      if (entry.line >= line) break;
      if (!entry.commentedOut) settings.set(entry.name, entry);
      at += 1;
    }
    entries += at - from;
    return at;
  }

  function follow(file: string, include: IncludeEntry, depth: number): void {
    const refuse = (message: string, hint: string): void => {
      complaints.push({ file, line: include.line, column: include.column, message, hint });
      forget();
    };
    const { kind } = include;
    const named = decodeUtf8(include.path);
    const path = pathBeside(file, named);
    if (named.trim() === "") {
      refuse(`${kind} names no file`, "Write the file's path in single quotes.");
    } else if (depth > maxDepth || path === file) {
      const hint = `Files may include each other ${maxDepth} levels deep.`;
      refuse(`${path} is included too deeply: files include each other`, hint);
    } else if (kind === "include_dir") {
      readFolder(path, depth);
    } else if (!draw({ path, origin: "include" }, depth) && kind === "include") {
      refuse(`${path} can't be opened`, "Put the file there, or take out what includes it.");
    }
  }

  function readFolder(path: string, depth: number): void {
    folders.add(path);
    const names = source.folder(path);
    if (names === "unknown") return forget();
    for (const name of confNames(names)) {
      if (!draw({ path: `${path}/${name}`, origin: "include-dir" }, depth)) forget();
    }
  }

  /** Does the file exist, as far as is known? */
  function draw(file: IncludedFile, depth: number): boolean {
    const isNew = file.path !== main && !included.has(file.path);
    if (isNew && included.size >= most) {
      isCut = true;
      forget();
      return true;
    }
    if (isNew) included.set(file.path, file);
    return readFile(file.path, depth);
  }

  if (!readFile(main, 0)) forget();
  return {
    included: [...included.values()],
    folders: [...folders],
    isCut,
    settings,
    isWhole,
    complaints,
  };
}

/** What the files of a node say of its server, *.auto.conf last, as far as it is certain. */
export function settingsInFiles(
  configFile: string,
  files: readonly FileFacts[],
): ServerConfFiles["settings"] {
  const { settings } = readServerConfFiles(configFile, confSourceOf(files));
  const auto = files.find(({ format }) => format === "auto-conf");
  const lastOfAll = effective(parseServerConf(auto?.maskedText ?? "", auto?.path));
  return new Map([...settings, ...lastOfAll]);
}

/** The server's files as their agent tells of them. */
export function confSourceOf(files: readonly FileFacts[]): ConfSource {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const included = files.filter(({ origin }) => origin !== undefined);
  const parsed = new Map<string, ServerConf>();
  return {
    file: (path) => {
      const known = parsed.get(path);
      if (known !== undefined) return known;
      const { state, maskedText = null } = byPath.get(path) ?? {};
      if (state === "absent") return "missing";
      if (maskedText === null) return "unknown";
      const conf = parseServerConf(maskedText, path);
      parsed.set(path, conf);
      return conf;
    },
    folder: (path) => {
      // There may be more of them than are watched.
      if (included.length >= mostIncludedFiles) return "unknown";
      const before = `${path}/`;
      return files
        .filter((file) => file.state !== "absent" && file.state !== "not-a-file")
        .filter((file) => file.path.startsWith(before))
        .map((file) => file.path.slice(before.length))
        .filter((name) => !name.includes("/"));
    },
  };
}

/** `NAME.conf` without hidden ones, sorted by bytes as in the C locale. */
function confNames(names: readonly string[]): readonly string[] {
  const bytes = names
    .filter((name) => name.endsWith(".conf") && !name.startsWith("."))
    .map((name) => encodeUtf8(name));
  return bytes.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)).map(decodeUtf8);
}
