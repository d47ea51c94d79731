import type { Host } from "#test/harness/host.ts";
import type { PoolPaths } from "#test/harness/pool-files.ts";

/**
 * `kingbasecluster` is pgpool under the product's name (a copy, so that process lists show it),
 * started by a command that knows the product's default file places: ../etc beside its bin folder.
 */
export async function installPoolCommand(
  host: Host,
  root: string,
  paths: PoolPaths,
  osUser: string,
): Promise<void> {
  const program = `${root}/kingbasecluster/lib/kingbasecluster`;
  await host.exec(["cp", "/usr/sbin/pgpool", program], { user: osUser });
  const script = `#!/bin/bash
etc=$(dirname "$(dirname "$(readlink -f "$0")")")/etc
files=(); given=" $* "
[[ $given == *" -f "* ]] || files+=(-f "$etc/kingbasecluster.conf")
[[ $given == *" -F "* ]] || files+=(-F "$etc/pcp.conf")
[[ $given == *" -a "* ]] || files+=(-a "$etc/cluster_hba.conf")
exec ${program} "\${files[@]}" "$@"
`;
  await host.writeFile(paths.binary, script, { owner: osUser, mode: 0o755 });
}
