import { Failure } from "#shared/errors.ts";
import { readSmallFile } from "../adapters/local-system.ts";
import type { Files } from "../ports.ts";
import type { AgentSettings } from "../settings.ts";

/** Inside a data directory; a copy of it has its source's. */
export const serverLogName = "castellan-server.log";

/** Where the control program sends the server's first output; null where systemd's journal has it. */
export function startLog(dataDirectory: string, settings: AgentSettings): string | null {
  if (settings.start.mode === "unit") return null;
  // The vendor's scripts keep it in the cluster's root; elsewhere the data directory is the one sure place.
  const { root } = settings.paths;
  return root === null ? `${dataDirectory}/${serverLogName}` : `${root}/logfile`;
}

/** Arguments of pg_ctl / sys_ctl. It waits itself, so that its exit code tells a failed start at once. */
export function startArguments(
  dataDirectory: string,
  log: string | null,
  settings: AgentSettings,
): readonly string[] {
  const { configFile } = settings.paths;
  const isOutside = !configFile.startsWith(`${dataDirectory}/`);
  return [
    "-D",
    dataDirectory,
    "-w",
    "-t",
    waitSeconds,
    ...(log === null ? [] : ["-l", log]),
    ...(isOutside ? ["-o", `-c config_file=${assertPlainPath(configFile)}`] : []),
    "start",
  ];
}

/** A week: whether the start makes progress is our own watch's matter, not a clock's. */
const waitSeconds = "604800";

/** The control program hands `-o` to a shell: a path with a meaning for it is refused, not quoted. */
function assertPlainPath(path: string): string {
  if (/^\/[A-Za-z0-9_./+@:,-]+$/.test(path)) return path;
  throw new Failure(
    "REFUSED",
    `${path} can't be given to the server: only letters, digits and _./+@:,-`,
    {
      hint: "Rename it, or let the site's own unit start the server (start.mode: unit).",
    },
  );
}

/**
 * Changes whenever the server does something: its log grows, or it or one of its processes uses the processor
 * (replaying WAL for an hour writes nothing to a log).
 */
export async function serverActivity(
  pid: number | null,
  log: string | null,
  files: Pick<Files, "stat">,
): Promise<string> {
  const logSize = log === null ? 0 : ((await files.stat(log))?.size ?? 0);
  if (pid === null) return `${logSize}`;
  const children = (await readSmallFile(`/proc/${pid}/task/${pid}/children`)) ?? "";
  const ticks: string[] = [];
  for (const process of [String(pid), ...children.split(" ").filter((word) => word !== "")]) {
    const stat = await readSmallFile(`/proc/${process}/stat`);
    // proc(5): fields 14 and 15 are user and system time; counted here from field 3 on.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    ticks.push(`${process}:${fields[11] ?? ""}+${fields[12] ?? ""}`);
  }
  return `${logSize} ${ticks.join(" ")}`;
}
