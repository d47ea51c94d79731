import { relocate, relocationBetween } from "../relocate.ts";
import { includesOf, type Situation } from "../situation.ts";
import { activeSettings } from "./node-settings.ts";

/** Settings whose value is a directory that must be there when the server starts. */
const directorySettings = [
  "archive_dest",
  "log_directory",
  "stats_temp_directory",
  "unix_socket_directories",
  "unix_socket_directory",
] as const;

/**
 * Directories outside the data directory that the copied configuration writes into, as they are on the new host, and
 * those that the product's own machinery expects. Made empty, never copied.
 */
export function newcomerDirectories(situation: Situation): readonly string[] {
  const { source, newcomer, product } = situation;
  const { paths } = newcomer.declared;
  if (source === null) return [];
  const relocation = relocationBetween(source.declared.paths, paths);
  const active = activeSettings(source, product.files.autoConf);
  const values = directorySettings.flatMap((name) => (active.get(name) ?? "").split(","));
  const found = [
    ...values.map((value) => value.trim()),
    ...archiveTargets(active.get("archive_command") ?? ""),
    // Kingbase keeps a second copy of the control file beside the data: the server makes it, the folder must be there.
    ...(active.get("control_file_copy") ?? "").split(";").map((file) => parentOf(file.trim())),
  ];
  const moved = found
    .filter((path) => path.startsWith("/") && !shared.has(path))
    .map((path) => relocate(path.replace(/\/+$/, ""), relocation))
    .filter((path) => path !== "" && !isBelow(path, paths.dataDirectory));
  const vendor =
    product.vendor !== null && paths.root !== null ? product.vendor.directories(paths.root) : [];
  return [...new Set([...vendor, ...moved, ...includeDirectories(situation)])];
}

/** The server refuses to start without a directory that its configuration includes, even an empty one. */
function includeDirectories({ source, newcomer }: Situation): readonly string[] {
  const folder = parentOf(newcomer.declared.paths.configFile);
  if (isBelow(folder, newcomer.declared.paths.dataDirectory)) return [];
  return includesOf(source).flatMap(({ kind, path }) => {
    if (kind !== "include_dir") return [];
    return [path.startsWith("/") ? path : `${folder}/${path}`];
  });
}

/** The system's own: they are there, and not ours to make. */
const shared: ReadonlySet<string> = new Set(["/tmp", "/run", "/var/run", "/var/log", "/dev/shm"]);

/** `cp %p /srv/archive/%f` writes into /srv/archive. */
function archiveTargets(command: string): readonly string[] {
  return [...command.matchAll(/(\/[^\s'";|&]*)\/%f/g)].flatMap((match) => match[1] ?? []);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
