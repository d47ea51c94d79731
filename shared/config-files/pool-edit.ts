import { backendIdOf, type BackendRow, parsePoolConf } from "./pool-conf.ts";
import { quotePoolSetting } from "./setting-line.ts";
import { appendLines, removeLines } from "./text-file.ts";

/**
 * Appends the lines of one backend, in the style of the rows before it. Lines that are there already with the same value
 * are left alone, so that a second run changes nothing; a line with another value is a conflict, never overwritten.
 */
export function appendBackend(text: string, row: BackendRow): string {
  const pool = parsePoolConf(text);
  const equals = equalsStyle(text);
  const missing: string[] = [];
  for (const { name, value, printed } of rowSettings(row)) {
    const present = pool.settings.get(name);
    if (present === undefined) {
      missing.push(`${name}${equals}${printed}`);
    } else if (present.value !== value) {
      const where = `line ${present.line}`;
      throw new RangeError(
        `${name} is already ${present.raw} in ${where}: backend ids are never reused`,
      );
    }
  }
  return appendLines(text, missing);
}

/** Takes out the active lines of that id and nothing else; the other ids stay as they are. */
export function removeBackend(text: string, id: number): string {
  const lines = parsePoolConf(text)
    .conf.entries.filter((entry) => !entry.commentedOut && backendIdOf(entry.name) === id)
    .map((entry) => entry.line);
  return removeLines(text, new Set(lines));
}

type RowSetting = { readonly name: string; readonly value: string; readonly printed: string };

function rowSettings(row: BackendRow): readonly RowSetting[] {
  if (!Number.isInteger(row.id) || row.id < 0 || row.id > 9999 || row.hostname === "") {
    throw new RangeError(`backend ${row.id} needs a whole number as id and a hostname`);
  }
  const settings: RowSetting[] = [];
  const add = (what: string, value: string | number | null): void => {
    if (value === null) return;
    const name = `backend_${what}${row.id}`;
    const printed = typeof value === "number" ? String(value) : quotePoolSetting(value);
    settings.push({ name, value: String(value), printed });
  };
  add("hostname", row.hostname);
  add("port", row.port);
  add("weight", row.weight);
  add("data_directory", row.dataDirectory);
  add("flag", row.flag);
  add("application_name", row.applicationName);
  return settings;
}

/** The vendor's installer writes `key=value`, pgpool's sample `key = value`. */
function equalsStyle(text: string): string {
  const rows = text.matchAll(/^[ \t]*backend_hostname[0-9]{1,4}([ \t]*=[ \t]*)/gm);
  return [...rows].at(-1)?.[1] ?? " = ";
}
