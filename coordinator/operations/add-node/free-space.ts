import type { HostFacts } from "#shared/domain/facts.ts";
import type { CommandResult } from "#shared/domain/commands.ts";
import type { KnownNode, Probes } from "./situation.ts";

/** Folders of the WAL below the data directory, by product and version. */
const walFolders = ["pg_wal", "sys_wal", "pg_xlog", "sys_xlog"] as const;

/** Free bytes where this node's WAL lies; null if its agent doesn't say. */
export function freeBytesOfWal(node: KnownNode): number | null {
  // Measured where the WAL really lies; known from the agent's second look on.
  const measured = node.facts?.guard.walDisk;
  if (measured != null) return measured.freeBytes;
  const { dataDirectory } = node.declared.paths;
  const filesystems = node.facts?.host.filesystems ?? [];
  const wal = filesystems.find(({ directory }) =>
    walFolders.some((folder) => directory === `${dataDirectory}/${folder}`),
  );
  return (wal ?? nearest(filesystems, dataDirectory))?.freeBytes ?? null;
}

/** What the new host said about the filesystem under a directory that is to be made. */
export function probedDirectory(
  probes: Probes,
  path: string,
): CommandResult<"probe-target">["directories"][number] | null {
  const directories = probes.target?.answer?.directories ?? [];
  return (
    directories
      .filter((directory) => isBelow(path, directory.path) || isBelow(directory.path, path))
      .toSorted((a, b) => distance(a.path, path) - distance(b.path, path))[0] ?? null
  );
}

export function freeBytesAt(probes: Probes, path: string): number | null {
  return probedDirectory(probes, path)?.freeBytes ?? null;
}

function nearest(
  filesystems: HostFacts["filesystems"],
  path: string,
): HostFacts["filesystems"][number] | null {
  return (
    filesystems
      .filter(({ directory }) => isBelow(path, directory))
      .toSorted((a, b) => b.directory.length - a.directory.length)[0] ?? null
  );
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

function distance(a: string, b: string): number {
  return Math.abs(a.length - b.length);
}
