import { pathBeside } from "./posix-path.ts";
import {
  type IncludeEntry,
  parseServerConf,
  type ServerConf,
  type SettingEntry,
} from "./server-conf.ts";
import { type Complaint, decodeUtf8, encodeUtf8 } from "./text-file.ts";

/** Reads for the resolver. Paths and names are text as people read it, contents are Latin-1. */
export type ConfSource = {
  /** Null: the file can't be opened. */
  readonly read: (path: string) => Promise<string | null>;
  /** The names of the files in a folder, in any order; null: the folder can't be opened. */
  readonly list: (folder: string) => Promise<readonly string[] | null>;
};

export type ServerConfFiles = {
  /** Every reading of a file, in the server's order: one that is included twice is in it twice. */
  readonly files: readonly ServerConf[];
  /** What counts, by lower-case name: the last line wins, wherever it stands. */
  readonly settings: ReadonlyMap<string, SettingEntry>;
  /** Active lines without effect, each with the line that counts instead. */
  readonly overruled: readonly { readonly entry: SettingEntry; readonly by: SettingEntry }[];
  /** The server refuses to start or to reload for any of these. */
  readonly complaints: readonly Complaint[];
};

/** PostgreSQL's own limit: files that include each other in a circle end here (guc-file.l). */
const maxDepth = 10;
/** Ours: what a few files that include each other could unfold to has no end in sight. */
const maxFiles = 1000;
const maxLines = 1_000_000;

/**
 * A server's whole configuration: the main file, each `include` where it stands, and `auto` (postgresql.auto.conf) last.
 * Order, paths and limits are those of PostgreSQL's guc-file.l.
 */
export async function readServerConfFiles(
  paths: { readonly main: string; readonly auto: string | null },
  source: ConfSource,
): Promise<ServerConfFiles> {
  const reading = createReading(source);
  await reading.readFile(paths.main, null, 0);
  if (paths.auto !== null) await reading.readFile(paths.auto, "optional", 0);
  const { files, order, complaints } = reading;
  const settings = new Map(order.map((entry) => [entry.name, entry]));
  const overruled = order.flatMap((entry) => {
    const by = settings.get(entry.name);
    return by === undefined || by === entry ? [] : [{ entry, by }];
  });
  return { files, settings, overruled, complaints };
}

/** Where a file is included. */
type Place = { readonly file: string; readonly include: IncludeEntry };

function createReading(source: ConfSource) {
  const parsed = new Map<string, ServerConf>();
  const files: ServerConf[] = [];
  const order: SettingEntry[] = [];
  const complaints: Complaint[] = [];
  let lines = 0;
  let isFull = false;

  const complain = ({ file, include }: Place, message: string, hint: string): void => {
    complaints.push({ file, line: include.line, column: include.column, message, hint });
  };

  async function load(path: string): Promise<ServerConf | null> {
    const known = parsed.get(path);
    if (known !== undefined) return known;
    const text = await source.read(path);
    if (text === null) return null;
    const conf = parseServerConf(text, path);
    parsed.set(path, conf);
    for (const complaint of conf.complaints) complaints.push(complaint);
    return conf;
  }

  async function readFile(
    path: string,
    place: Place | "optional" | null,
    depth: number,
  ): Promise<void> {
    if (isFull) return;
    const conf = await load(path);
    if (conf === null) {
      const hint = "Put the file there, or take out what includes it.";
      if (place === null) {
        complaints.push({ file: path, line: 1, column: 1, message: "can't be opened", hint });
      } else if (place !== "optional" && place.include.kind !== "include_if_exists") {
        complain(place, `${path} can't be opened`, hint);
      }
      return;
    }
    lines += conf.lines.length;
    isFull = files.length >= maxFiles || lines > maxLines;
    if (isFull) {
      const message = `more than ${maxFiles} files or ${maxLines} lines are included`;
      const hint = "What comes after is not looked at here. Include less.";
      complaints.push({ file: path, line: 1, column: 1, message, hint });
      return;
    }
    files.push(conf);
    let next = 0;
    for (const include of conf.includes) {
      next = takeEntries(conf, next, include.line);
      await follow({ file: path, include }, depth + 1);
    }
    takeEntries(conf, next, Number.POSITIVE_INFINITY);
  }

  /** The entries from `from` on that stand before the line; gives the index behind them. */
  function takeEntries(conf: ServerConf, from: number, line: number): number {
    let at = from;
    for (let entry = conf.entries[at]; entry !== undefined; entry = conf.entries[at]) {
      if (entry.line >= line) break;
      if (!entry.commentedOut) order.push(entry);
      at += 1;
    }
    return at;
  }

  async function follow(place: Place, depth: number): Promise<void> {
    const { kind, path } = place.include;
    const named = decodeUtf8(path);
    if (named.trim() === "") {
      complain(place, `${kind} names no file`, "Write the file's path in single quotes.");
      return;
    }
    const target = pathBeside(place.file, named);
    if (depth > maxDepth || target === place.file) {
      const message = `${target} is included too deeply: files include each other`;
      complain(place, message, `Files may include each other ${maxDepth} levels deep.`);
      return;
    }
    if (kind !== "include_dir") return readFile(target, place, depth);
    const names = await source.list(target);
    if (names === null) {
      complain(place, `${target} can't be opened`, "Make the folder, or take out this line.");
      return;
    }
    for (const name of confNames(names)) await readFile(`${target}/${name}`, place, depth);
  }

  return { files, order, complaints, readFile };
}

/** `NAME.conf` without hidden ones, sorted by bytes as in the C locale. */
function confNames(names: readonly string[]): readonly string[] {
  const bytes = names
    .filter((name) => name.endsWith(".conf") && !name.startsWith("."))
    .map((name) => encodeUtf8(name));
  return bytes.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)).map(decodeUtf8);
}
