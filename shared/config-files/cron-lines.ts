import { applyEdits, type Complaint, type Line, splitLines } from "./text-file.ts";

/** The two scripts that the product's cron file starts every minute. */
export type VendorJob = "network-rewind" | "restart-cluster";

const scripts: Readonly<Record<VendorJob, string>> = {
  "network-rewind": "network_rewind.sh",
  "restart-cluster": "restartcluster.sh",
};

export type VendorCronLine = {
  readonly line: number;
  readonly column: number;
  /** The OS user that cron runs it as. */
  readonly user: string;
  /** The script's whole path. */
  readonly command: string;
  /** How many `#` stand before it; 0 is active. Each stop by the vendor's scripts adds one. */
  readonly hashes: number;
};

type VendorCronState = {
  /** With two lines or more the vendor's scripts refuse to work at all. */
  readonly state: "active" | "commented" | "missing" | "duplicate";
  readonly lines: readonly VendorCronLine[];
};

export type CronFile = {
  readonly lines: readonly Line[];
  readonly vendor: Readonly<Record<VendorJob, VendorCronState>>;
  readonly complaints: readonly Complaint[];
};

/** KINGBASECRON, other files of cron.d, /etc/crontab. Lines that aren't the vendor's two are left alone. */
export function parseCron(text: string, file = ""): CronFile {
  const lines = splitLines(text);
  const vendor = {
    "network-rewind": stateOf(lines, "network-rewind"),
    "restart-cluster": stateOf(lines, "restart-cluster"),
  };
  const complaints: Complaint[] = [];
  const last = lines.at(-1);
  if (last?.eol === "") {
    const message = "the last line has no newline, and cron ignores it or the whole file";
    const hint = "End the file with a newline.";
    complaints.push({ file, line: last.number, column: 1, message, hint });
  }
  return { lines, vendor, complaints };
}

/** One `#` before every active line of the job. */
export function commentVendorLine(text: string, job: VendorJob): string {
  const { lines, vendor } = parseCron(text);
  const edits = vendor[job].lines
    .filter((found) => found.hashes === 0)
    .map((found) => {
      const at = lines[found.line - 1]?.start ?? 0;
      return { start: at, end: at, text: "#" };
    });
  return applyEdits(text, edits);
}

/**
 * Takes all `#` from the job's line, as the vendor's start does. With two such lines nothing is changed: it isn't known
 * which one is meant.
 */
export function uncommentVendorLine(text: string, job: VendorJob): string {
  const { lines, vendor } = parseCron(text);
  const [found, ...others] = vendor[job].lines;
  if (found === undefined || others.length > 0 || found.hashes === 0) return text;
  const line = lines[found.line - 1];
  if (line === undefined) return text;
  const body = line.text.slice(0, found.column - 1).replaceAll("#", "");
  return applyEdits(text, [{ start: line.start, end: line.start + found.column - 1, text: body }]);
}

/**
 * The line as the vendor writes it (five fields, the user, two blanks, the path), commented or not. Ends with a newline.
 * A new node's cron file is this one line for "network-rewind", commented.
 */
export function printVendorLine(input: {
  readonly job: VendorJob;
  readonly user: string;
  /** The folder of the script: KB_PATH, or CLUSTER_BIN_PATH for "restart-cluster". */
  readonly folder: string;
  readonly commented: boolean;
}): string {
  const { user, folder } = input;
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(user)) throw new RangeError(`${user} is no user name`);
  // Cron ends a command at "%", the shell gives the others a meaning.
  if (!/^\/[A-Za-z0-9_./+@:,=-]*$/.test(folder)) {
    throw new RangeError(`${JSON.stringify(folder)} can't stand in a cron line`);
  }
  const path = `${folder.replace(/\/+$/, "")}/${scripts[input.job]}`;
  return `${input.commented ? "#" : ""}*/1 * * * * ${user}  ${path}\n`;
}

function stateOf(lines: readonly Line[], job: VendorJob): VendorCronState {
  const found = lines.flatMap((line) => readVendorLine(line, job) ?? []);
  const [first, ...others] = found;
  if (first === undefined) return { state: "missing", lines: found };
  if (others.length > 0) return { state: "duplicate", lines: found };
  return { state: first.hashes === 0 ? "active" : "commented", lines: found };
}

function readVendorLine(line: Line, job: VendorJob): VendorCronLine | null {
  if (!line.text.includes(scripts[job])) return null;
  const prefix = /^[ \t#]*/.exec(line.text)?.[0] ?? "";
  const hashes = prefix.length - prefix.replaceAll("#", "").length;
  const words = line.text.slice(prefix.length).split(/[ \t\r]+/);
  // "@reboot" and its like stand for the five time fields.
  const time = words[0]?.startsWith("@") === true ? 1 : 5;
  const user = words[time];
  const command = words[time + 1];
  if (user === undefined || command === undefined) return null;
  if (!words.slice(0, time).every((word) => /^[-@A-Za-z0-9*/,]+$/.test(word))) return null;
  if (command !== scripts[job] && !command.endsWith(`/${scripts[job]}`)) return null;
  return { line: line.number, column: prefix.length + 1, user, command, hashes };
}
