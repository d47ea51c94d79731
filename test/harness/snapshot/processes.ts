import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import type { Host } from "#test/harness/host.ts";

export type SeenProcess = {
  /** Pid and start time: the same process and no other. */
  readonly identity: string;
  readonly uid: number;
  /** Program and role, alike for every process of the kind; null for what comes and goes by itself. */
  readonly role: string | null;
};

/** Every process of a host, as its pid namespace says. Empty while it is off. */
export function processesOf(host: Host): readonly SeenProcess[] {
  if (!host.isUp() || host.root !== "") return [];
  const namespace = readlinkSync(`${host.path("/proc")}/1/ns/pid`);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) return [];
        const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const argv = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
        const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
        const isDead = fields[0] === "Z" || fields[0] === "X";
        const role = isDead ? `${name} (zombie)` : roleOf(argv, name);
        const identity = `${pid} ${fields[19] ?? ""}`;
        return [{ identity, uid: statSync(`/proc/${pid}`).uid, role }];
      } catch {
        // It ended while it was looked at.
        return [];
      }
    });
}

/** Those of the first look that the second one has, too. */
export function longLived(
  first: readonly SeenProcess[],
  second: readonly SeenProcess[],
): readonly SeenProcess[] {
  const known = new Set(first.map(({ identity }) => identity));
  return second.filter(({ identity }) => known.has(identity));
}

export function processEntries(
  host: Host,
  processes: readonly SeenProcess[],
): Record<string, string> {
  const counts = new Map<string, number>();
  const users = new Map<string, number>();
  for (const { role, uid } of processes) {
    if (role === null) continue;
    counts.set(role, (counts.get(role) ?? 0) + 1);
    users.set(role, uid);
  }
  const entries = [...counts].map(([role, count]) => {
    // Pools have a health check a backend, and as many children as are asked for.
    const shown = isPool(role) ? "runs" : String(count);
    return [`process ${role}`, `${shown} as uid ${users.get(role) ?? 0}`] as const;
  });
  return host.isUp() ? Object.fromEntries(entries) : {};
}

function isPool(role: string): boolean {
  return /^(?:pgpool|kingbasecluster): /.test(role);
}

/** Pure: what the command line of a process says of its role. */
export function roleOf(argv: readonly string[], name: string): string | null {
  const words = argv.filter((word) => word !== "");
  const [first = name] = words;
  // Servers and pools write their role over their command line: `postgres: walsender replicator 10.0.0.1(4711) …`.
  const title = /^(?:\S*\/)?([\w.-]+): (.*)$/.exec(words.join(" "));
  if (title !== null) return titledRole(title[1] ?? "", title[2] ?? "");
  const program = basename(first);
  const job = words.indexOf("castellan-job");
  if (job !== -1) return `castellan-job ${basename(words[job + 1] ?? "")}`;
  if (program === "sudo") return `sudo ${scriptOf(words.slice(1))}`;
  if (program === "node" || first === process.execPath) return scriptOf(words.slice(1));
  return program;
}

/** `/opt/castellan/dist/castellan-agent.js run --config …` is `castellan-agent.js run`. */
function scriptOf(words: readonly string[]): string {
  const at = words.findIndex((word) => /\.[cm]?js$/.test(word));
  const script = words[at];
  if (script === undefined) return basename(words.find((word) => !word.startsWith("-")) ?? "");
  const verbs = words
    .slice(at + 1)
    .filter((word, index, all) => /^[a-z-]+$/.test(word) && !all[index - 1]?.startsWith("--"))
    .filter((word) => !word.startsWith("-"));
  return [basename(script), ...verbs.slice(0, 2)].join(" ");
}

function titledRole(program: string, title: string): string | null {
  const sender = /^(?:wal ?sender)(?: process)? (\S+) ([\d.]+|\[local\])/.exec(title);
  if (sender !== null) return `${program}: walsender ${sender[1] ?? ""} ${sender[2] ?? ""}`;
  // A client's session, and what the server starts when it likes.
  if (/[\d.]+\(\d+\)|\[local\]|autovacuum worker|parallel worker/.test(title)) return null;
  if (/^(?:wait for connection request|accept connection|.* idle)/.test(title)) {
    return `${program}: child`;
  }
  const role = title
    .replace(/\s(?:recovering|waiting for|streaming|last was|archiving|failed on)\b.*$/, "")
    .replace(/ process(?:\(\d+\))?\s*$/, "")
    .replace(/\(\d+\)/g, "");
  return `${program}: ${role.trim()}`;
}
