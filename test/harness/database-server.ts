import type { Host } from "./host.ts";
import type { Lane, NodePaths } from "./postgres.ts";
import { clientBin } from "./postgres.ts";

/** One node's server: how it is started and stopped, in the product's own way. */
export type DatabaseServer = {
  readonly host: Host;
  readonly lane: Lane;
  readonly paths: NodePaths;
};

/** `pg_ctl start` / `sys_ctl start`, waited for. `options` goes to the server's command line. */
export async function startServer(
  { host, lane, paths }: DatabaseServer,
  options = "",
): Promise<void> {
  if (!host.exists(paths.socketDir)) {
    await host.makeDirectory(paths.socketDir, { owner: lane.osUser });
  }
  const extra = [configOptions(lane, paths), options].filter((part) => part !== "").join(" ");
  const argv = [paths.control, "-D", paths.dataDir, "-w", "-t", "60", "-l", paths.logFile, "start"];
  await host.exec([...argv, ...(extra === "" ? [] : ["-o", extra])], { user: lane.osUser });
}

export async function stopServer(
  { host, lane, paths }: DatabaseServer,
  mode: "fast" | "immediate" = "fast",
): Promise<void> {
  const argv = [paths.control, "-D", paths.dataDir, "-w", "-t", "60", "-m", mode, "stop"];
  await host.exec(argv, { user: lane.osUser });
}

export async function isServerRunning({ host, lane, paths }: DatabaseServer): Promise<boolean> {
  const argv = [paths.control, "-D", paths.dataDir, "status"];
  const { exitCode } = await host.exec(argv, { user: lane.osUser, reject: false });
  return exitCode === 0;
}

/** Puts a folder with server and client commands of a major in place, for the majors that Debian does not have. */
export async function installBinaries({ host, lane, paths }: DatabaseServer): Promise<void> {
  if (lane.product === "kingbase-v8r3" || paths.binDir === clientBin) return;
  const script = `mkdir -p "$1" && for f in "$2"/* "$3"/*; do [ -e "$1/\${f##*/}" ] || ln -s "$f" "$1/"; done`;
  await host.exec(["sh", "-c", script, "sh", paths.binDir, lane.serverBin(host), clientBin]);
}

/** A Debian cluster's pg_ctl is told where the configuration lies, as pg_ctlcluster does. */
function configOptions(lane: Lane, paths: NodePaths): string {
  return lane.layout === "debian" ? `-c config_file=${paths.configFile}` : "";
}
