import { readFileSync } from "node:fs";
import { join } from "node:path";
import { joinControlGroup } from "./cgroups.ts";
import { inside, privateFolders } from "./host-init.ts";
import { childrenOf } from "./processes.ts";
import { projectRoot } from "./project-root.ts";
import { spawnHost } from "./spawned.ts";

/**
 * The root of a systemd host: the machine's own / below a layer in memory (an overlay's upper layer
 * cannot lie on another overlay, which containers have), in a mount namespace that goes with it.
 */
const overlayScript = `set -e
layer=$1 group=$2; shift 2
${joinControlGroup}mount --make-rprivate /
mkdir -p "$layer"
mount -t tmpfs -o mode=755 tmpfs "$layer"
mkdir "$layer/up" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/up,workdir=$layer/work" "$layer/root"
exec systemd-nspawn "$@"
`;

/** Boots real systemd on a host's disk and in its network; gives the pid of its PID 1 as the machine sees it. */
export async function startSystemd(
  name: string,
  base: string,
  namespace: string,
  outlives: boolean,
): Promise<number> {
  const layer = join(base, "systemd");
  const nspawn = [
    "--quiet",
    "--register=no",
    "--keep-unit",
    `--network-namespace-path=/run/netns/${namespace}`,
    `--machine=${name}`,
    `--directory=${layer}/root`,
    ...privateFolders.map((folder) => `--bind=${join(base, folder)}:/${folder}`),
    ...readOnly().map(([from, to]) => `--bind-ro=${from}:${to}`),
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--console=read-only",
    // The root helper loads packet filter rules and moves addresses.
    "--capability=CAP_NET_ADMIN",
    "--boot",
  ];
  return spawnHost(
    base,
    ["unshare", "--mount", "sh", "-c", overlayScript, "sh", layer, namespace, ...nspawn],
    outlives,
    (outer) => childrenOf(outer).find(insideIsBooted),
    { timeoutMs: 20_000, intervalMs: 20, what: `${name} to boot systemd` },
  );
}

function readOnly(): [string, string][] {
  const root = projectRoot();
  const node: [string, string][] = process.execPath.startsWith("/usr/")
    ? []
    : [[process.execPath, inside.node]];
  return [
    [root, inside.project],
    [`${root}/node_modules/postgres-10/native`, inside.native(10)],
    [`${root}/node_modules/postgres-18/native`, inside.native(18)],
    ...node,
  ];
}

/** nspawn's child is the guest's PID 1 once it has become systemd. */
function insideIsBooted(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8") === "systemd\n";
  } catch {
    return false;
  }
}
